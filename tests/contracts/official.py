"""The providers' own descriptions as judges: Prism, a process of its own, and openapi-core in this one. Neither knows omni."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

REPOSITORY = Path(__file__).parents[2]
SPECS = REPOSITORY.parent / "shared" / "specs" / "merged"
SECONDS = 20.0  # Prism is ready in 1 to 3 of them, on a busy machine later


def find_prism() -> str | None:
    """$OMNI_PRISM, `.rig` of the repository, or PATH."""
    own = REPOSITORY / ".rig" / "node_modules" / ".bin" / "prism"
    return os.environ.get("OMNI_PRISM") or (str(own) if own.exists() else shutil.which("prism"))


class Prism:
    """One process for one description; `url` is its address. It validates every request and answers with the description's examples."""

    def __init__(self, program: str, description: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [program, "mock", "-h", "127.0.0.1", "-p", str(self.port), "-v", "warn", str(description)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait(self) -> bool:
        """Whether it answers its port within SECONDS."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.05)  # a process of its own starts: there is nothing to wait on but its port
        return False

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)


class Twin:
    """The same description in this process."""

    def __init__(self, description: Path) -> None:
        from openapi_core import Config, OpenAPI

        self.spec: dict[str, Any] = json.loads(description.read_text())
        self.server: str = self.spec["servers"][0]["url"]
        self._api = OpenAPI.from_dict(self.spec, config=Config(spec_validator_cls=None))

    def refusals(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> list[str]:
        """What the description has against this request; `url` is its path and query, without the host."""
        from openapi_core.testing import MockRequest

        parts = urlsplit(url)
        named = {name.lower(): value for name, value in headers.items()}
        request = MockRequest(self.server, method.lower(), parts.path, args=dict(parse_qsl(parts.query)), headers=dict(named),
                              data=body or b"", content_type=named.get("content-type", "application/json"))  # fmt: skip
        return [_reasons(error) for error in self._api.iter_request_errors(request)]

    def wrong_answer(self, method: str, url: str, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
        """What it has against an answer to that request (our fakes are held to it too)."""
        from openapi_core.testing import MockRequest, MockResponse

        parts = urlsplit(url)
        request = MockRequest(
            self.server, method.lower(), parts.path, args=dict(parse_qsl(parts.query)), content_type="application/json"
        )
        named = {name.lower(): value for name, value in headers.items()}
        response = MockResponse(
            body, status_code=status, headers=named, content_type=named.get("content-type", "application/json")
        )
        return [_reasons(error) for error in self._api.iter_response_errors(request, response)]


def _reasons(error: BaseException) -> str:
    """An error with what it was caused by, down to the schema's own words."""
    schema = getattr(error.__cause__, "schema_errors", ())
    found = (f"{'.'.join(map(str, one.absolute_path))}: {one.message[:200]}" for one in schema)
    return "; ".join((f"{type(error).__name__}: {error}", *found))
