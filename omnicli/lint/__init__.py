"""Lint: what is wrong in a project's files, where, why it matters and how to mend it. Findings are values."""
