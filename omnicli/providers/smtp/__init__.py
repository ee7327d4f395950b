"""Sends e-mail by SMTP, command by command, so that the phase in which something failed says what became of the mail."""

from omnicli.providers.smtp.classify import classify
from omnicli.providers.smtp.connection import Address, Connection, Envelope
from omnicli.providers.smtp.provider import Smtp
from omnicli.providers.smtp.settings import open_smtp

__all__ = ["Address", "Connection", "Envelope", "Smtp", "classify", "open_smtp"]
