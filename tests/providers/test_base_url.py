"""Where providers are reached: the environment, the settings, home; nothing leaves the machine unencrypted; each move is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnicli import providers
from omnicli.campaignfile import load_project
from omnicli.errors import Exit, OmniError
from omnicli.providers.base_url import Base, base_url

HOME = "https://api.provider.example"


def asked(setting: str | None) -> Base:
    return base_url(setting, "OMNI_TESTED_URL", HOME, where="providers.tested.base_url")


def test_the_environment_wins_over_the_setting_and_that_over_home(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(None) == Base(HOME, False)
    assert asked("https://eu.provider.example/") == Base("https://eu.provider.example", True)
    monkeypatch.setenv("OMNI_TESTED_URL", "http://127.0.0.1:4010")
    assert asked("https://eu.provider.example") == Base("http://127.0.0.1:4010", True)
    monkeypatch.setenv("OMNI_TESTED_URL", HOME + "/")
    assert asked(None) == Base(HOME, False)


@pytest.mark.parametrize(
    "good", ["http://localhost:8080", "http://[::1]:8080", "http://127.9.9.9", "https://proxy.example/twilio"]
)
def test_https_or_this_machine(good: str) -> None:
    assert asked(good).url == good


@pytest.mark.parametrize(
    "bad",
    ["http://api.provider.example", "ftp://127.0.0.1", "api.provider.example", "https://", "https://user:secret@proxy.example",
     "https://proxy.example/?to=x", "http://127.0.0.1.evil.example", "https://a b.example", "http://[::1", "https://x.example:port"],
)  # fmt: skip
def test_anything_else_is_refused_by_name(bad: str) -> None:
    with pytest.raises(OmniError, match=r"providers\.tested\.base_url") as refused:
        asked(bad)
    assert refused.value.exit == Exit.REFUSED


def a_project(folder: Path, more: str) -> providers.Files:
    (folder / "omni.yaml").write_text(
        "project: maison\nlanguages: [fr]\ntime_zone: Europe/Paris\nchannels:\n  email: {provider: sendgrid}\n  sms: {provider: twilio}\n"
        + more
    )
    return load_project(folder)


def test_each_move_is_said_with_what_moves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    eu = 'providers: {sendgrid: {base_url: "https://api.eu.sendgrid.com"}, twilio: {base_url: {content: "http://127.0.0.1:9"}}}\n'
    project = a_project(tmp_path, eu)
    assert providers.overrides(project, live=True) == ("twilio goes to http://127.0.0.1:9 (providers.twilio.base_url.content)",)
    monkeypatch.setenv("OMNI_SENDGRID_URL", "http://127.0.0.1:8")
    assert providers.overrides(project, live=True)[0] == "sendgrid goes to http://127.0.0.1:8 (OMNI_SENDGRID_URL)"
    assert providers.overrides(project, live=False) == ()


def test_a_section_that_no_provider_has_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="Did you mean 'sendgrid'") as refused:
        providers.build(a_project(tmp_path, "providers: {sendgird: {batch: 5}}\n"), live=True)
    assert refused.value.exit == Exit.REFUSED


def test_a_reference_inside_a_list_names_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    project = a_project(tmp_path, 'providers: {sendgrid: {event_webhook_keys: ["${NO_SUCH_KEY}"]}}\n')
    assert project.project is not None
    with pytest.raises(OmniError, match=r"providers\.sendgrid\.event_webhook_keys: .*NO_SUCH_KEY"):
        providers._settings(project.project, "sendgrid")
