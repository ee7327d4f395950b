"""omni: campaigns as code for omnichannel marketing."""

__version__ = "0.1.0"
