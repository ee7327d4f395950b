"""A project folder as values: `omni.yaml`, every campaign, and whatever is wrong with them. Never raises for bad files."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from omnicli.campaignfile.catalogue import finding
from omnicli.campaignfile.check import check_campaign, check_project
from omnicli.campaignfile.reader import raw, read_source
from omnicli.campaignfile.source import KeyPath, Map, Source
from omnicli.campaignfile.validate import validate
from omnicli.errors import Exit, OmniError
from omnicli.model.campaign import Campaign
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.project import Project
from omnicli.texts import t

PROJECT_FILE = "omni.yaml"


@dataclass(frozen=True)
class Loaded:
    """What stands in a project folder. Files are named relative to `root`, with `/`.

    `project` is None when `omni.yaml` cannot be read at all. Models of files with errors hold `written.UNKNOWN` at the
    places that failed: ask `errors` before anything is planned, started or run.
    """

    root: Path
    project: Project | None
    campaigns: Mapping[str, Campaign]
    findings: tuple[Finding, ...]
    sources: Mapping[str, Source]
    files: Mapping[str, str] = field(default_factory=dict)

    def locate(self, file: str, path: KeyPath, *, key: bool = False) -> Place:
        """The position of the value (or key) at a key path; the file's first character when nothing is known."""
        source = self.sources.get(file)
        return source.place(path, key=key) if source and source.root is not None else Place.at(file)

    def errors(self, campaign: str | None = None) -> tuple[Finding, ...]:
        """Findings at error level: of the project and all campaigns, or of the project and that one campaign."""
        wanted = {PROJECT_FILE, self.files.get(campaign, f"campaigns/{campaign}.yaml")} if campaign is not None else None
        return tuple(f for f in self.findings if f.severity == "error" and (wanted is None or f.place.file in wanted))

    def file_of(self, campaign: str) -> str:
        """The campaign's file."""
        return self.files.get(campaign, f"campaigns/{campaign}.yaml")


def load_project(root: Path, *, overlay: Mapping[str, bytes] | None = None) -> Loaded:
    """Read `omni.yaml` and `campaigns/*.yaml` below `root`. `overlay` (file → bytes) wins over the disk, for editors.

    Raises OmniError only when there is no `omni.yaml`, or a file cannot be opened.
    """
    with _no_collection():
        return _load(root, overlay or {})


def read_again(loaded: Loaded, file: str, text: str) -> Loaded:
    """The project with one campaign file read anew, as if `text` stood in it; the other files are not touched."""
    sources: dict[str, Source] = dict(loaded.sources)
    findings = [one for one in loaded.findings if one.place.file != file]
    with _no_collection():
        campaign = _read_campaign(file, text.encode(), loaded.project, sources, findings)
    name = file.rsplit("/", 1)[-1].removesuffix(".yaml")
    campaigns = {key: value for key, value in loaded.campaigns.items() if key != name}
    if campaign is not None:
        campaigns[name] = campaign
    return replace(loaded, campaigns=MappingProxyType(campaigns), findings=tuple(findings), sources=MappingProxyType(sources))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Nothing that is read is garbage before all is read: collecting meanwhile costs a third of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _load(root: Path, overlay: Mapping[str, bytes]) -> Loaded:
    if not (root / PROJECT_FILE).is_file() and PROJECT_FILE not in overlay:
        raise OmniError(
            t("no omni.yaml in {root}", "pas d'omni.yaml dans {root}", root=root),
            hint=t("omni init makes a project; -C DIR names another folder", "omni init crée un projet ; -C DOSSIER en désigne un autre"),
            code="no-project", exit=Exit.USAGE,
        )  # fmt: skip
    sources: dict[str, Source] = {}
    findings: list[Finding] = []
    project = _read_project(_raw(root, PROJECT_FILE, overlay), sources, findings)
    campaigns: dict[str, Campaign] = {}
    files: dict[str, str] = {}
    for file in _campaign_files(root, overlay, findings):
        name = file.rsplit("/", 1)[-1].removesuffix(".yaml")
        files[name] = file
        campaign = _read_campaign(file, _raw(root, file, overlay), project, sources, findings)
        if campaign is not None:
            campaigns[name] = campaign
    findings.sort(key=lambda f: (f.place.file != PROJECT_FILE, f.place.file, f.place.line, f.place.column, f.code))
    return Loaded(root, project, MappingProxyType(campaigns), tuple(findings), MappingProxyType(sources), MappingProxyType(files))


def _raw(root: Path, file: str, overlay: Mapping[str, bytes]) -> bytes:
    return overlay[file] if file in overlay else raw(root, file)


def _campaign_files(root: Path, overlay: Mapping[str, bytes], findings: list[Finding]) -> list[str]:
    folder = root / "campaigns"
    found = {f"campaigns/{path.name}" for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()
    found |= {file for file in overlay if re.fullmatch(r"campaigns/[^/]+", file)}
    for file in sorted(found):
        if file.endswith(".yml") and not file.rsplit("/", 1)[-1].startswith("."):
            message = t("{file} is not read: campaign files end with .yaml; rename it", "{file} n'est pas lu : un fichier de campagne finit par .yaml ; renommez-le",
                        file=file)  # fmt: skip
            findings.append(finding("Y005", Place.at(file), message))
    return sorted(
        f for f in found if f.endswith(".yaml") and not f.endswith(".test.yaml") and not f.rsplit("/", 1)[-1].startswith(".")
    )


def _read_project(raw: bytes, sources: dict[str, Source], findings: list[Finding]) -> Project | None:
    source, found = read_source(PROJECT_FILE, raw)
    sources[PROJECT_FILE] = source
    findings.extend(found)
    if source.root is None:
        _empty(PROJECT_FILE, "project", found, findings)
        return None
    _modeline(source, ".omni/schema/project.json", findings)
    project, wrong = validate(Project, source, references=True)
    findings.extend(wrong)
    if not isinstance(project, Project):
        return None
    findings.extend(check_project(project, source))
    return project


def read_project(text: str) -> Project | None:
    """The project that this text of `omni.yaml` describes; None when nothing can be made of it."""
    return _read_project(text.encode("utf-8", "surrogatepass"), {}, [])


def _read_campaign(
    file: str, raw: bytes, project: Project | None, sources: dict[str, Source], findings: list[Finding]
) -> Campaign | None:
    source, found = read_source(file, raw)
    sources[file] = source
    findings.extend(found)
    if source.root is None:
        _empty(file, "campaign", found, findings)
        return None
    _modeline(source, "../.omni/schema/campaign.json", findings)
    currency = project.currency if project is not None and isinstance(project.currency, str) else "EUR"
    campaign, wrong = validate(Campaign, source, currency=currency)
    findings.extend(wrong)
    if not isinstance(campaign, Campaign):
        return None
    _file_name(campaign, source, findings)
    findings.extend(check_campaign(campaign, source, project))
    return campaign


def _empty(file: str, key: str, found: Sequence[Finding], findings: list[Finding]) -> None:
    """S001 for a file in which nothing is written (or comments only): what it needs first."""
    if not any(one.severity == "error" for one in found):
        message = t(
            "{file} is empty: it needs '{key}' first", "{file} est vide : il lui faut d'abord « {key} »", file=file, key=key
        )
        findings.append(finding("S001", Place.at(file), message, path=key))


def _file_name(campaign: Campaign, source: Source, findings: list[Finding]) -> None:
    """Y005: a copied file cannot silently become another campaign's version."""
    stem = source.file.rsplit("/", 1)[-1].removesuffix(".yaml")
    if not campaign.campaign or campaign.campaign == stem:
        return
    message = t("campaign '{x}' stands in {file}: rename the file or the campaign",
                "la campagne « {x} » se trouve dans {file} : renommez le fichier ou la campagne", x=campaign.campaign, file=source.file)  # fmt: skip
    fix = None
    span = source.span(("campaign",))
    if re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", stem):
        fix = Fix(t("write '{x}'", "écrire « {x} »", x=stem), (Edit(source.exact(span), stem),))
    findings.append(finding("Y005", source.at(span), message, path="campaign", fix=fix))


def _modeline(source: Source, schema: str, findings: list[Finding]) -> None:
    """Y006: the first line that gives completion in editors."""
    if any("yaml-language-server:" in line for line in source.lines[:5]) or not isinstance(source.root, Map):
        return
    line = f"# yaml-language-server: $schema={schema}"
    message = t(
        "this first line gives completion in editors: {line}",
        "cette première ligne donne la complétion dans les éditeurs : {line}",
        line=line,
    )
    top = Place(source.file, 1, 1, 1, 1)
    fix = Fix(t("write the line", "écrire la ligne"), (Edit(top, line + source.line_ends),))
    findings.append(finding("Y006", Place.at(source.file), message, fix=fix))
