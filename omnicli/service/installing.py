"""The call of the tick, written for cron, systemd or GitHub: absolute paths, a stated zone, its own lock, a log.

What is written can be found again and taken out: everything between two marker lines of the crontab, one unit file, one
workflow file, each named after the project and the environment.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omnicli.errors import Exit, OmniError
from omnicli.providers import Files, named
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.model.literals import Duration
    from omnicli.model.project import Project


@dataclass(frozen=True, slots=True)
class Place:
    """Which project, where, in which environment, called by which program."""

    project: str
    root: Path
    live: bool
    zone: str
    every: Duration
    program: tuple[str, ...]

    @property
    def environment(self) -> str:
        return "live" if self.live else "sandbox"

    @property
    def unit(self) -> str:
        """The name of the systemd unit."""
        return f"omni-{self.project}-{self.environment}.service"

    @property
    def environment_file(self) -> Path:
        """Where the unit looks for secrets, one NAME=value a line; it may be missing."""
        return self.root / ".omni" / f"{self.environment}.env"

    def call(self, *words: str) -> list[str]:
        """The command line, as words."""
        live = ("--live",) if self.live else ()
        return [*self.program, *words, "-C", str(self.root), *live, "--no-input"]


def place(project: Project, root: Path, *, live: bool) -> Place:
    """The place of this project as this program would be called again."""
    return Place(project.project, root.resolve(), live, project.time_zone, project.schedule.every, program())


def program() -> tuple[str, ...]:
    """How this very omni is called: the script beside this Python, else the module."""
    script = Path(sys.executable).with_name("omni")
    return (str(script),) if script.exists() else (sys.executable, "-m", "omnicli.cli.main")


def variables(loaded: Files, where: Place) -> list[str]:
    """What a live call needs from the environment: cron and systemd know nothing of this shell's. The names that providers and
    webhooks refer to as `${NAME}`, and those of omni that are set here (keys, addresses moved)."""
    if not where.live or loaded.project is None:
        return []
    ours = sorted(name for name in os.environ if re.fullmatch("OMNI_(KEYS|.*_(URL|HOST|PORT))", name))
    return [*named([loaded.project.providers, [hook.secret or "" for hook in loaded.project.webhooks.values()]]), *ours]


def callers(where: Place) -> list[tuple[str, str]]:
    """What was installed to call the tick of this place: `cron` and its times, `systemd` and `github` with their files."""
    found = []
    if shutil.which("crontab") is not None:
        lines = read_crontab()
        if any(line.startswith(_opening(where)) for line in lines):
            found.append(("cron", cron_times(where.every)))
    files = (("systemd", unit_path(where)), ("github", workflow_path(where)))
    return found + [(kind, str(path)) for kind, path in files if path.exists()]


# --- cron -----------------------------------------------------------------------------------------------------------
def cron_times(every: Duration) -> str:
    """The five fields of cron that come closest to `every` without being slower: cron cannot say `every 7 minutes`."""
    minutes = max(int(every.about.total_seconds() // 60), 1)
    if minutes < 60:
        step = max(n for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30) if n <= minutes)
        return "* * * * *" if step == 1 else f"*/{step} * * * *"
    if minutes < 24 * 60:
        step = max(n for n in (1, 2, 3, 4, 6, 8, 12) if n * 60 <= minutes)
        return "0 * * * *" if step == 1 else f"0 */{step} * * *"
    return "0 0 * * *"


def cron_block(where: Place) -> list[str]:
    """The managed lines, between their two markers. A `%` would end the command in cron: it is escaped."""
    words = shlex.join([*where.call("schedule", "tick"), "-q"]).replace("%", r"\%")
    log = shlex.quote(str(where.root / ".omni" / "tick.log")).replace("%", r"\%")
    return [
        f"{_opening(where)}(managed; `omni schedule remove` takes it out)",
        f"CRON_TZ={where.zone}",
        f"{cron_times(where.every)} {words} >>{log}",
        f"# end omni {where.project} {where.environment}",
    ]


def _opening(where: Place) -> str:
    """How the first line of the block begins."""
    return f"# omni {where.project} {where.environment} "


def read_crontab() -> list[str]:
    """The lines of this user's crontab; none when there is none; OmniError without cron."""
    if shutil.which("crontab") is None:
        raise OmniError(t("there is no cron here", "il n'y a pas de cron ici"), hint="omni schedule install --systemd",
                        code="no-cron", exit=Exit.REFUSED)  # fmt: skip
    done = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def write_crontab(lines: list[str]) -> None:
    done = subprocess.run(["crontab", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    if done.returncode:
        raise OmniError(
            t("cron refused the lines: {why}", "cron a refusé les lignes : {why}", why=done.stderr.strip()), code="cron"
        )


def without_block(lines: list[str], where: Place) -> list[str]:
    """The crontab without this project's block; other projects and other lines stay as they are."""
    kept: list[str] = []
    inside = False
    for line in lines:
        if line.startswith(_opening(where)):
            inside = True
        elif inside and line == f"# end omni {where.project} {where.environment}":
            inside = False
        elif not inside:
            kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


# --- systemd --------------------------------------------------------------------------------------------------------
def systemd_unit(where: Place) -> str:
    """A user service that runs the daemon; SIGTERM lets it finish the batch in hand."""
    command = " ".join(_systemd_word(word) for word in where.call("schedule", "run"))
    return f"""\
# {t("managed; `omni schedule remove` takes it out", "géré ; `omni schedule remove` l'enlève")}
[Unit]
Description=omni {where.project} ({where.environment})
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
WorkingDirectory={str(where.root).replace("%", "%%")}
ExecStart={command}
Restart=on-failure
RestartSec=10
RestartPreventExitStatus=2 4
KillSignal=SIGTERM
TimeoutStopSec=120
EnvironmentFile=-{str(where.environment_file).replace("%", "%%")}
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def _systemd_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if set(word) & set(" \t\"'\\;") else escaped


def unit_path(where: Place) -> Path:
    return Path.home() / ".config" / "systemd" / "user" / where.unit


# --- GitHub ---------------------------------------------------------------------------------------------------------
def github_workflow(where: Place) -> str:
    """A workflow that ticks. A runner keeps nothing: the store must be a database that outlives it (OMNI_DATABASE)."""
    times = cron_times(where.every)
    if times.startswith("*") and times[:3] in ("* *", "*/2", "*/3", "*/4"):
        times = "*/5 * * * *"  # GitHub's shortest
    live = " --live" if where.live else ""
    keep = t("a runner keeps nothing: the store lives elsewhere", "une machine éphémère ne garde rien : la base vit ailleurs")
    return f"""\
# {t("managed; `omni schedule remove` takes it out", "géré ; `omni schedule remove` l'enlève")}
name: omni {where.project} {where.environment}
on:
  schedule:
    - cron: "{times}"   # UTC; {t("people are written to in their own time zone", "chacun est contacté à son heure locale")}
  workflow_dispatch:
concurrency: omni-{where.project}-{where.environment}
permissions:
  contents: read
jobs:
  tick:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    env:
      OMNI_DATABASE: ${{{{ secrets.OMNI_DATABASE }}}}   # {keep}
      OMNI_KEYS: ${{{{ secrets.OMNI_KEYS }}}}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.11"}}
      - run: pip install omni-campaigns
      - run: omni schedule tick{live} --no-input
"""


def workflow_path(where: Place) -> Path:
    return where.root / ".github" / "workflows" / f"omni-{where.environment}.yml"
