"""Are the project's files in order: errors that lint finds, rules of countries that nobody checked for a year, languages without registers."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from omnicli.packs.read import shipped
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Patient, Sign, Signs
from omnicli.texts import several, t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.lint.run import Report


def files(patient: Patient) -> Signs:
    """What lint says, in one line, and the age of the packs that this project goes by."""
    loaded, project = patient.loaded, patient.loaded.project
    assert project is not None
    report = _lint(loaded, patient.now)
    weights = Counter(finding.severity for finding in report.findings)
    counts = [
        several(len(loaded.campaigns), ("{n} campaign", "{n} campaigns"), ("{n} campagne", "{n} campagnes")),
        several(len(report.files), ("{n} file", "{n} files"), ("{n} fichier", "{n} fichiers")),
        several(weights["error"], ("{n} error", "{n} errors"), ("{n} erreur", "{n} erreurs")),
    ]
    if report.profile == "production":  # there a warning, too, keeps a campaign from starting
        counts.append(several(weights["warning"], ("{n} warning", "{n} warnings"), ("{n} avertissement", "{n} avertissements")))
    said = t("project {name}: {counts}", "projet {name} : {counts}", name=project.project, counts=", ".join(counts))
    yield Sign("project", WRONG if report.worst() else WELL, said, "omni lint" if report.worst() else "")
    yield from _packs(patient)
    yield from _registers(patient)


def _lint(loaded: Loaded, now: datetime) -> Report:
    """What `omni lint` says: of the scenario files too, and of what the sandbox knows of its people."""
    from omnicli.app import standing
    from omnicli.campaignfile.stories import load_stories
    from omnicli.lint.census import census
    from omnicli.lint.run import lint

    stories, store = load_stories(loaded), standing(loaded)
    if store is None:
        return lint(loaded, now=now, stories=stories)
    with census(store, now=now) as base:
        return lint(loaded, now=now, stories=stories, census=base)


def _registers(patient: Patient) -> Signs:
    """Languages in which nobody can judge how people are addressed, where a persona says how it wants to be."""
    from omnicli.lint.coherence.registers import without_list

    project = patient.loaded.project
    assert project is not None
    unjudged = without_list(project.languages)
    if unjudged and any(persona.tone.address for persona in project.personas.values()):
        said = t("no list of registers for {languages}: nobody checks how they address people", "pas de liste de registres pour {languages} : personne n'y vérifie tu et vous",
                 languages=", ".join(unjudged))  # fmt: skip
        yield Sign("registers", NOTE, said, "omni explain P002")


def _packs(patient: Patient) -> Signs:
    project = patient.loaded.project
    assert project is not None
    day = patient.now.date()
    known = shipped()
    for code in project.countries:
        file = known.get(code)
        if file is None:
            said = t("no rules for {code}: the strictest hold", "pas de règles pour {code} : les plus strictes valent", code=code)
            yield Sign("pack", NOTE, said, "omni explain L013")
            continue
        old = [rule.id for rule in file.rules if rule.checked_on is not None and rule.stale(day) and rule.holds(day)]
        if old:
            said = t("rules of {code} that nobody checked for 12 months: {ids}", "règles {code} que personne n'a vérifiées depuis 12 mois : {ids}",
                     code=code, ids=", ".join(old[:4]) + (" …" if len(old) > 4 else ""))  # fmt: skip
            yield Sign("pack", NOTE, said, "pip install --upgrade omni-campaigns")
