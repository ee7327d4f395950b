"""The preview while you edit: a change is seen, an error is shown and passes, and nobody else may ask."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from sample_project import copy_sample
from starlette.testclient import TestClient

from omnicli.app import open_project
from omnicli.campaigns.preview.make import Asked, make
from omnicli.campaigns.preview.page import Preview
from omnicli.campaigns.preview.readings import Wish
from omnicli.service.preview import app as serving
from omnicli.service.preview.watch import fingerprint

NOW = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)
ASKED = Asked(Wish("bienvenue", "guide-senteurs", language="fr", persona="camille"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_sample(tmp_path)


@pytest.fixture
def client(project: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(serving, "PATIENCE", 0.02)
    monkeypatch.setattr(serving, "LOOK", 0.01)

    def draw() -> Preview:
        return make(open_project(project), ASKED, now=NOW)

    return TestClient(serving.application(project, draw), base_url="http://127.0.0.1")


def edit(project: Path, old: str, new: str) -> None:
    file = project / "campaigns" / "bienvenue.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_change_of_a_file_is_seen(project: Path, client: TestClient) -> None:
    first = client.get("/").text
    state = fingerprint(project)
    assert f"since={state}" in first
    assert client.get("/changed", params={"since": state}).text == state
    edit(project, "Ton guide des senteurs", "Ton petit guide des senteurs")
    assert client.get("/changed", params={"since": state}).text == fingerprint(project) != state
    assert "Ton petit guide des senteurs" in client.get("/").text


def test_an_error_in_a_file_is_shown_and_passes(project: Path, client: TestClient) -> None:
    assert "guide-senteurs" in client.get("/").text
    edit(project, "messages:\n", "messages: [\n")
    broken = client.get("/")
    assert broken.status_code == 200
    assert "bienvenue.yaml" in broken.text or "bienvenue" in broken.text
    assert "/changed" in broken.text, "it still waits for the next change"
    edit(project, "messages: [\n", "messages:\n")
    assert "Ton guide des senteurs" in client.get("/").text


def test_a_project_that_cannot_be_read_is_said(project: Path, client: TestClient) -> None:
    (project / "omni.yaml").write_text("project: [", encoding="utf-8")
    answer = client.get("/").text
    assert "omni.yaml:1" in answer
    assert "cannot be shown yet" in answer


def test_only_this_machine_by_its_own_name_may_ask(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.post("/").status_code == 405


def test_the_served_page_asks_only_its_own_server(client: TestClient) -> None:
    page = client.get("/").text
    assert "connect-src 'self'" in page
    assert "default-src 'none'" in page


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly(project: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "omnicli.cli.main",
        "campaign",
        "preview",
        "bienvenue",
        "--serve",
        "--port",
        "0",
        "-C",
        str(project),
        "--as-of",
        "2027-01-04 10:00",
    ]
    served = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMNI_LANG": "en"})
    assert served.stderr is not None
    address = re.search(r"http://127.0.0.1:\d+/", served.stderr.readline())
    assert address
    with urlopen(address[0]) as answer:
        assert "offre-bienvenue" in answer.read().decode()
    served.send_signal(signal.SIGINT)
    rest = served.communicate(timeout=30)[1]
    assert served.returncode == 0
    assert "Traceback" not in rest
