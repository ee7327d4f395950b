"""Notifications through the push services of browsers; needs the extra `push`."""

from omnicli.providers.push.provider import Push
from omnicli.providers.push.settings import open_push

__all__ = ["Push", "open_push"]
