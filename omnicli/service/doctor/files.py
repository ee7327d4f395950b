"""Are the project's files in order: errors that lint finds, rules of countries that nobody checked for a year, languages without registers."""

from __future__ import annotations

from omnicli.packs.read import shipped
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Patient, Sign, Signs
from omnicli.texts import several, t


def files(patient: Patient) -> Signs:
    """What lint says, in one line, and the age of the packs that this project goes by."""
    from omnicli.lint.run import lint

    loaded, project = patient.loaded, patient.loaded.project
    assert project is not None
    report = lint(loaded, now=patient.now)
    errors = sum(1 for finding in report.findings if finding.severity == "error")
    templates = sum(1 for _ in (loaded.root / "templates").glob("*.j2"))
    counts = (
        several(len(loaded.campaigns), ("{n} campaign", "{n} campaigns"), ("{n} campagne", "{n} campagnes")),
        several(1 + len(loaded.campaigns) + templates, ("{n} file", "{n} files"), ("{n} fichier", "{n} fichiers")),
        several(errors, ("{n} error", "{n} errors"), ("{n} erreur", "{n} erreurs")),
    )
    said = t("project {name}: {counts}", "projet {name} : {counts}", name=project.project, counts=", ".join(counts))
    yield Sign("project", WRONG if errors else WELL, said, "omni lint" if errors else "")
    yield from _packs(patient)
    yield from _registers(patient)


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
