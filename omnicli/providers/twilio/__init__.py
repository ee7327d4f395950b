"""Twilio in both directions: SMS, WhatsApp, Messenger and calls go out, and what becomes of them and what people say comes in."""

from omnicli.providers.twilio.opening import open_hearing, open_twilio

__all__ = ["open_hearing", "open_twilio"]
