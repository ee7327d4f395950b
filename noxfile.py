"""One door for habits: `nox` without arguments is what CI runs."""

import nox

nox.options.sessions = ["tests", "style", "types", "floors", "samples"]
nox.options.default_venv_backend = "venv"


@nox.session(python="3.11")
def tests(session: nox.Session) -> None:
    """All tests; arguments go to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "-n", "2", *session.posargs)


@nox.session(python="3.11")
def style(session: nox.Session) -> None:
    """ruff: rules and format."""
    session.install("ruff>=0.12")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python="3.11")
def types(session: nox.Session) -> None:
    """mypy --strict over the package."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session(python="3.11")
def floors(session: nox.Session) -> None:
    """The contract of the floors: imports go down only."""
    session.install("-e", ".[dev]")
    session.run("lint-imports")


@nox.session(python="3.11")
def samples(session: nox.Session) -> None:
    """The sample project lints clean in the strictest profile."""
    session.install("-e", ".")
    session.run("omni", "lint", "--profile", "production")


@nox.session(python="3.11")
def package(session: nox.Session) -> None:
    """Build the wheel and run it from there."""
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", session.create_tmp())
