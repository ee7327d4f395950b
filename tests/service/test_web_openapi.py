"""Every route under fire: requests made from omni's own description, good and bad, never meet a fault of ours nor an answer it does not name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from starlette.testclient import TestClient
from web_stage import Shop, Signed, a_shop, serving

from omnicli.service.web import app, webhooks

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
SPEC = yaml.safe_load((Path(app.__file__).parent / "openapi.yaml").read_text("utf-8"))
SCHEMA = schemathesis.openapi.from_dict(SPEC)
OPERATIONS = [operation.ok() for operation in SCHEMA.get_all_operations()]
#: Of a token's routes, what half of the requests really name.
PURPOSES = {"c": "click", "u": "unsubscribe", "p": "preferences", "w": "web_version", "q": "scan", "o": "opens"}
EXAMPLES = 10


class Believing(Signed):
    """Takes every signature for good, so that nonsense reaches what is behind it."""

    def sign(self, body: bytes) -> dict[str, str]:
        return {"x-signature": ""}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, TestClient]]:
    shop = a_shop(tmp_path_factory.mktemp("shop"))
    with serving(shop, Believing(paths=webhooks.PATHS)) as (client, site):
        site.intake.gather = 0
        yield shop, client


def test_the_description_names_every_route_and_no_other() -> None:
    described = {(path, method.upper()) for path, item in SPEC["paths"].items() for method in item if method != "parameters"}
    served = {(route.path, method) for route in app.ROUTES for method in route.methods or () if method != "HEAD"}
    assert described == served


@pytest.mark.parametrize("operation", OPERATIONS, ids=[o.label for o in OPERATIONS])
def test_no_request_meets_a_fault_of_ours(operation: Any, served: tuple[Shop, TestClient]) -> None:
    shop, client = served
    turn = iter(range(10**6))

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def meets(case: Any) -> None:
        path = case.formatted_path
        if "{token}" in case.path and next(turn) % 2:
            path = shop.path(PURPOSES[case.path[1]], "lea" if next(turn) % 4 else "emma")
        sent = case.as_transport_kwargs(base_url="http://testserver")
        answer = client.request(
            case.method, "http://testserver" + path, params=sent.get("params"), headers=_plain(sent.get("headers")),
            content=_bytes(sent), cookies=None,
        )  # fmt: skip
        assert answer.status_code < 500, (case.method, path, sent)
        known = operation.definition.raw["responses"]
        assert str(answer.status_code) in known or answer.status_code in (404, 405), (answer.status_code, path)
        assert "set-cookie" not in answer.headers

    meets()


def _plain(headers: Any) -> dict[str, str]:
    """The headers that a client can send at all."""
    found = {str(name): str(value) for name, value in (headers or {}).items()}
    return {
        n: v
        for n, v in found.items()
        if n.isascii() and v.isascii() and v.isprintable() and n.lower() not in ("content-length", "transfer-encoding")
    }


def _bytes(sent: Any) -> bytes:
    import requests

    prepared = requests.Request(
        "POST", "http://x/", data=sent.get("data"), json=sent.get("json"), files=sent.get("files")
    ).prepare()
    body = prepared.body or b""
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
