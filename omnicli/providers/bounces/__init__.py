"""Reads what comes back by mail: bounces, complaints, people who leave, replies of machines; pure, and it never raises."""

from omnicli.providers.bounces.mailboxes import open_mailbox
from omnicli.providers.bounces.read import Told, read
from omnicli.providers.bounces.receipts import believed, receipt

__all__ = ["Told", "believed", "open_mailbox", "read", "receipt"]
