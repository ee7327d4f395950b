"""One line a required key, in French: what `S001` says between brackets. English stands in the model's descriptions."""

from __future__ import annotations

from omnicli.texts import t

_FRENCH = {
    "The name that people know you by.": "le nom sous lequel on vous connaît",
    "Who carries this channel: smtp, sendgrid, twilio, push, file, task, webhook or a plug-in.": "qui achemine ce canal : smtp, twilio, file…",
    "A type such as number or 'money EUR', or the list of allowed words.": "un type tel que number, ou la liste des mots admis",
    "What people call it.": "comment on l'appelle",
    "What people call this persona.": "comment on appelle ce persona",
    "Who belongs to it.": "qui en fait partie",
    "What the preference page shows.": "ce qu'affiche la page de préférences",
    "https address.": "adresse https",
    "How many.": "combien",
    "Code or name.": "code ou nom",
    "Name of the project: it appears in paths, click tokens and locks.": "nom du projet",
    "Languages you write in; the first is the default.": "langues dans lesquelles vous écrivez ; la première est celle par défaut",
    "The project's time zone.": "fuseau horaire du projet",
    "The channels you use and who carries them.": "les canaux utilisés et qui les achemine",
    "What kind of fact it is; a short form's shape says it.": "de quel genre de fait il s'agit",
    "The words: language or language/register → slot → text.": "les mots : langue ou langue/registre → emplacement → texte",
    "The event that is the goal, or several.": "l'événement visé",
    "The message.": "le message",
    "The channel, or 'preferred'.": "le canal, ou « preferred »",
    "Its share; all arms make 100 %.": "sa part ; toutes les branches font 100 %",
    "Version, or versions, that people leave.": "la version que l'on quitte",
    "Name of the campaign; equals the file's name.": "nom de la campagne, égal à celui du fichier",
    "Who enters, and when.": "qui entre, et quand",
    "What is said.": "ce qui est dit",
    "What happens, step by step.": "ce qui se passe, étape par étape",
    "How long; 'up to …' waits for an answer.": "combien de temps ; « up to … » attend une réponse",
    "Branches, asked in order.": "les branches, essayées dans l'ordre",
    "Arm → share and steps.": "bras → part et étapes",
    "Attribute → value, +5, -5 or clear.": "attribut → valeur, +5, -5 ou clear",
    "Name of a webhook of omni.yaml.": "nom d'un webhook d'omni.yaml",
    "Id of a later step.": "id d'une étape ultérieure",
    "The reason in reports.": "le motif dans les rapports",
}


def meaning(description: str) -> str:
    """A key's one-line meaning in the language in use, without its full stop."""
    return t("{d}", "{f}", d=description.rstrip("."), f=_FRENCH.get(description, description).rstrip("."))
