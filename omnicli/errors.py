"""The one exception that reaches a person: what went wrong, and what to do about it.

Problems in the user's files are findings (values, `model/finding.py`); what a provider may answer is an outcome
(value). `OmniError` is for not being able to go on; `cli/main.py` is the only place that turns it into text.
"""

from __future__ import annotations


class Exit:
    """Exit codes of the command line (docs/cli)."""

    FINE = 0
    FINDINGS = 1
    USAGE = 2
    SOME_FAILED = 3
    REFUSED = 4
    LOCKED = 5
    SOMETHING_TO_DO = 10
    INTERRUPTED = 130


class OmniError(Exception):
    """Cannot go on. `code` is a stable slug for `--json`; `exit` one of `Exit`."""

    def __init__(self, message: str, *, hint: str = "", code: str = "error", exit: int = Exit.USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.exit = exit
