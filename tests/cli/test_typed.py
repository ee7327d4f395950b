"""Words of the command line are read without pydantic, and what does not fit is told as before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer
import typer.main

from omnicli.cli.main import run
from omnicli.cli.typed import read_plainly

app = typer.Typer(add_completion=False)
SEEN: dict[str, object] = {}


@app.command()
def try_it(
    words: Annotated[list[Path] | None, typer.Argument()] = None,
    name: Annotated[str, typer.Option("--name")] = "ann",
    count: Annotated[int, typer.Option("--count", min=1, max=9)] = 3,
    most: Annotated[int | None, typer.Option("--most")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag")] = None,
    file: Annotated[Path | None, typer.Option("--file")] = None,
    loud: Annotated[bool, typer.Option("--loud/--soft")] = False,
) -> None:
    SEEN.update(words=words, name=name, count=count, most=most, tag=tag, file=file, loud=loud)


def seen_by(argv: list[str], *, plainly: bool) -> dict[str, object]:
    command = typer.main.get_command(app)
    if plainly:
        read_plainly(command)
    SEEN.clear()
    command.main(args=argv, prog_name="try", standalone_mode=False)
    return dict(SEEN)


@pytest.mark.parametrize("argv", [
    [], ["a", "b"], ["--name", "", "--count", "9"], ["--most", "-4"], ["--most", " 7 "], ["--most", "1_0"], ["--tag", "x", "--tag", "", "--loud"],
    ["--file", "-", "--soft"], ["--file", "/no/such", "é"], ["--count", "007"], ["--most", "9" * 30],
])  # fmt: skip
def test_every_value_is_what_typer_makes_of_it(argv):
    plain, typers = seen_by(argv, plainly=True), seen_by(argv, plainly=False)
    assert plain == typers
    assert {name: type(value) for name, value in plain.items()} == {name: type(value) for name, value in typers.items()}


@pytest.mark.parametrize(
    "argv", [["--count", "0"], ["--count", "10"], ["--count", "two"], ["--most", "1.5"], ["--count", "٣"], ["--nope"], ["--name"]]
)
def test_what_typer_refuses_is_refused_in_the_same_words(argv):
    said = []
    for plainly in (True, False):
        try:
            said.append(repr(seen_by(argv, plainly=plainly)))
        except Exception as error:
            said.append((type(error).__name__, error.format_message()))
    assert said[0] == said[1]


def test_a_wrong_number_is_told_as_omni_tells_things(capsys):
    assert run(["campaign", "simulate", "--days", "0"]) == 2
    assert "--days" in capsys.readouterr().err


def test_another_version_of_typer_is_left_alone(monkeypatch):
    command = typer.main.get_command(app)
    for param in command.params:
        monkeypatch.delattr(param, "_runtime_param", raising=False)
    read_plainly(command)
    assert not any(hasattr(param, "_runtime_param") for param in command.params)
