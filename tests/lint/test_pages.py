"""The pages behind links are read when --online is said, and then only: a real server on the loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from test_cases import NOW, a_project

from omnicli.campaignfile import load_project
from omnicli.lint.ground import Ground
from omnicli.lint.run import lint
from omnicli.model.finding import Finding


class Shop(BaseHTTPRequestHandler):
    """One page a path; `asked` counts."""

    pages: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        page = self.pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write((page or "nothing").encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    Shop.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def found(folder: Path, address: str, *, online: bool) -> list[Finding]:
    root = a_project(folder)
    file = root / "campaigns" / "noel.yaml"
    file.write_text(file.read_text("utf-8").replace("https://www.sel.example/noel", f"{address}/noel"), "utf-8")
    loaded = load_project(root)
    ground = Ground(loaded, now=NOW)
    ground.online = online
    ground.only = ("noel", "offre")
    return [f for f in lint(loaded, now=NOW, select=["M014"], ground=ground).findings if f.code == "M014"]


def test_a_page_that_says_the_code_is_fine(tmp_path: Path, shop: str) -> None:
    Shop.pages = {"/noel": "<html><script>var code</script><body>Votre code <b>sel20</b></body></html>"}
    assert not found(tmp_path, shop, online=True)
    assert Shop.asked == ["/noel"]


@pytest.mark.parametrize("page", ["<p>Bienvenue</p>", "<!-- SEL20 --><script>'SEL20'</script>"])
def test_a_page_without_the_code_is_told_at_the_link(tmp_path: Path, shop: str, page: str) -> None:
    Shop.pages = {"/noel": page}
    told = found(tmp_path, shop, online=True)
    assert [(f.path, f.message) for f in told] == [("messages.offre.facts.link", "the page behind the link lacks 'code' (SEL20)")]


def test_a_page_that_is_not_there_is_told(tmp_path: Path, shop: str) -> None:
    Shop.pages = {}
    assert [f.message.rpartition(": ")[2] for f in found(tmp_path, shop, online=True)] == ["HTTP 404"]


def test_nothing_is_asked_without_online(tmp_path: Path, shop: str) -> None:
    Shop.pages = {}
    assert not found(tmp_path, shop, online=False)
    assert not Shop.asked
