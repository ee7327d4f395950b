"""What the page about running it live says about keys is done as it says, and then looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnicli.app import open_store
from omnicli.campaignfile import Loaded, load_project
from omnicli.render.links import Signing, open_token, token
from omnicli.store import keys

OMNI = "project: lune\nlanguages: [fr]\ntime_zone: Europe/Paris\nchannels: {email: {provider: smtp}}\n"


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Loaded]:
    (tmp_path / "omni.yaml").write_text(OMNI, "utf-8")
    yield load_project(tmp_path)
    keys.keys_of.cache_clear()


@pytest.mark.parametrize("kept", ["file", "OMNI_KEYS"])
def test_keys_that_are_rotated_as_the_page_says_sign_anew_and_open_what_is_out(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    store = open_store(loaded, live=True)
    old = keys.of_store(store, "lune")
    out = token(Signing(old.key, old.current), "unsubscribe", b"touch" * 4)
    file = store.path.with_name("keys")
    held = json.loads(file.read_text())
    held["signing"]["1"] = "ab" * 32
    held["current"] = 1
    if kept == "file":
        file.write_text(json.dumps(held))
    else:
        monkeypatch.setenv("OMNI_KEYS", json.dumps(held))
        file.unlink()
    keys.keys_of.cache_clear()  # omni is called again
    new = keys.of_store(store, "lune")
    assert (new.current, new.key.hex(), new.pepper) == (1, "ab" * 32, old.pepper)
    assert open_token(out, "unsubscribe", new.signing) is not None
    assert open_token(token(Signing(new.key, new.current), "unsubscribe", b"touch" * 4), "unsubscribe", old.signing) is None
    del held["signing"]["0"]  # what the page warns of: the links that are out would open nothing
    if kept == "file":
        file.write_text(json.dumps(held))
    else:
        monkeypatch.setenv("OMNI_KEYS", json.dumps(held))
    keys.keys_of.cache_clear()
    assert keys.lost(store, "lune") == "0"
    store.close()
