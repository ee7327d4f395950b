"""Secrets: read from the environment when first needed, never shown."""

import pytest

from omnicli import settings
from omnicli.errors import OmniError


def test_an_unset_name_says_which_and_what_to_do() -> None:
    with pytest.raises(OmniError) as caught:
        settings.resolve("${OMNI_NOBODY_SET_THIS}", {})
    assert caught.value.code == "S008"
    assert "OMNI_NOBODY_SET_THIS" in caught.value.message


@pytest.mark.guards("redaction")
def test_a_secret_is_never_shown() -> None:
    secret = settings.resolve("${KEY}", {"KEY": "SG.canary"})
    assert "canary" not in f"{secret} {secret!r} {[secret]}"
    assert settings.text(secret) == "SG.canary"


def test_a_plain_value_is_itself() -> None:
    assert settings.resolve("127.0.0.1") == "127.0.0.1"


def test_the_line_end_of_the_file_that_a_secret_was_copied_from_is_none_of_it() -> None:
    assert settings.text(settings.resolve("${KEY}", {"KEY": "canary \r\n"})) == "canary "
    with pytest.raises(OmniError):
        settings.resolve("${KEY}", {"KEY": "\n"})
