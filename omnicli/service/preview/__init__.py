"""The preview while you edit: the page anew whenever a file of the project has changed, for this machine alone."""

from omnicli.service.preview.app import application

__all__ = ["application"]
