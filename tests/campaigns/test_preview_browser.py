"""A real browser opens the preview: its switches work without a script, in e-mails too, and it asks the network for nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from omnicli.app import open_project
from omnicli.campaigns.preview.make import Asked, make
from omnicli.campaigns.preview.page import page
from omnicli.campaigns.preview.readings import Wish

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NOW = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the page is only read, not opened"),
]

#: What the test asks the page, in place of the page's own script: chooses a switch, looks at one e-mail and one SMS.
PROBE = """
const pick = id => { document.getElementById(id).checked = true };
const mail = document.querySelector('.cell.email .host').shadowRoot;
const look = () => ({
  sms: document.querySelector('.cell.sms .bubble').innerText, subject: document.querySelector('.subject').innerText,
  card: getComputedStyle(mail.querySelector('.card')).backgroundColor, inner: getComputedStyle(mail.querySelector('.inner')).paddingLeft,
  width: document.querySelector('.screen').offsetWidth, fact: getComputedStyle(mail.querySelector('.f1')).backgroundColor,
  rows: [...document.querySelectorAll('.row')].filter(e => e.offsetParent).length,
  body: mail.querySelector('.page').innerText,
});
const seen = { first: look() };
for (const id of ['k1', 'k2', 'k3', 'n-on', 'w-640', 'l-is-en', 'p-is-0']) { const before = document.querySelectorAll('input:checked');
  pick(id); seen[id] = look(); document.querySelectorAll('form').forEach(f => f.reset()) }
document.getElementById('facts-on').checked = false; seen.plain = look(); document.getElementById('facts-on').checked = true;
document.querySelector('.pick1').checked = true; seen.code = look(); document.querySelector('.pick0').checked = true; seen.offer = look();
const out = document.createElement('pre'); out.id = 'seen'; out.textContent = JSON.stringify(seen); document.body.append(out);
"""


def chromium(page: Path, *more: str) -> str:
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", f"--user-data-dir={page.parent / 'profile'}",
               "--window-size=1280,900", *more, "--dump-dom", page.as_uri()]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def html() -> str:
    return page(make(open_project(ROOT), Asked(Wish("bienvenue", "offre-bienvenue")), now=NOW))


@pytest.fixture(scope="module")
def seen(html: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the browser shows after each switch; the page's own script is taken out."""
    without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    without = re.sub(r"<script>.*?</script>", lambda _: f"<script>{PROBE}</script>", without, flags=re.S)
    file = tmp_path_factory.mktemp("preview") / "probe.html"
    file.write_text(without, encoding="utf-8")
    found = re.search(r'<pre id="seen">(.*?)</pre>', chromium(file), re.S)
    assert found
    return dict(json.loads(unescape(found[1])))


def test_readers_are_switched_without_a_script(seen: dict[str, Any]) -> None:
    assert seen["first"]["subject"].startswith("Léa, ")
    assert seen["k1"]["subject"].startswith("Maximilienne-Alexandrine, ")
    assert seen["k2"]["subject"].startswith("Bonjour, ")
    assert seen["k3"]["subject"].startswith("O'Connor & <Fils>, ")
    assert seen["k3"]["sms"] != seen["first"]["sms"], "the links of two people differ"


def test_an_email_obeys_the_switches_inside_its_own_tree(seen: dict[str, Any]) -> None:
    assert seen["first"]["card"] == "rgb(255, 255, 255)"
    assert seen["n-on"]["card"] == "rgb(29, 27, 33)", "its own dark style"
    assert (seen["first"]["width"], seen["w-640"]["width"]) == (375, 640)
    assert (seen["first"]["inner"], seen["w-640"]["inner"]) == ("24px", "48px"), "its own narrow style"
    assert "BIENVENUE20" in seen["first"]["body"]


def test_facts_are_coloured_chosen_and_switched_off(seen: dict[str, Any]) -> None:
    assert "0.2)" in seen["first"]["fact"]
    assert "0.42)" in seen["code"]["fact"]
    clear = ("rgba(0, 0, 0, 0)", "transparent")
    assert seen["offer"]["fact"] in clear
    assert seen["plain"]["fact"] in clear


def test_rows_are_filtered_by_language_and_persona(seen: dict[str, Any]) -> None:
    assert 0 < seen["l-is-en"]["rows"] < seen["first"]["rows"]
    assert 0 < seen["p-is-0"]["rows"] < seen["first"]["rows"]


def test_nothing_is_asked_of_the_network(html: str, tmp_path: Path) -> None:
    file, log = tmp_path / "page.html", tmp_path / "net.json"
    file.write_text(html, encoding="utf-8")
    shown = chromium(file, f"--log-net-log={log}", "--net-log-capture-mode=Everything")
    assert "offre-bienvenue" in shown
    asked = set(re.findall(r'"url":"(https?://[^"]+)"', log.read_text(encoding="utf-8", errors="replace")))
    assert not [url for url in asked if "example" in url], "no address of the project is asked for"
