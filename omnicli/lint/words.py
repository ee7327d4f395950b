"""What `omni explain` says of words that are no rules: reasons, holds, exit codes, keys of the language."""

from __future__ import annotations

from omnicli.lint import delivery_words

REASONS: dict[str, tuple[str, str]] = {
    "unreachable": ("No channel of the step can reach this person: no address, no consent, a bar, no template or no words. `omni contact why` lists each channel.", "Aucun canal de l'étape n'atteint cette personne : ni adresse, ni consentement, un refus, pas de modèle ou pas de mots. `omni contact why` détaille chaque canal."),
    "condition": ("The step's `if` was false at the moment it was due.", "Le `if` de l'étape était faux au moment dû."),
    "capped": ("A frequency cap or `min_gap` was met, and `at_cap` gave up.", "Un plafond ou `min_gap` était atteint, et `at_cap` a renoncé."),
    "expired": ("Held longer than `max_delay`, or its date had passed.", "Retenu plus longtemps que `max_delay`, ou sa date était passée."),
    "budget": ("The campaign's budget was used up until `max_delay` was over.", "Le budget de la campagne était épuisé jusqu'à la fin de `max_delay`."),
    "no_date": ("`at` hangs on a date that this contact does not have.", "`at` dépend d'une date que ce contact n'a pas."),
    "no_words": ("The message has no words in this language and register.", "Le message n'a pas de mots dans cette langue et ce registre."),
    "barred_by_law": ("The country's rule pack forbids it at any hour.", "Les règles du pays l'interdisent à toute heure."),
    "complaint_open": ("A complaint of this person is open.", "Une réclamation de cette personne est ouverte."),
    "duplicate": ("The same text went to the same address within 24 hours.", "Le même texte est parti à la même adresse dans les 24 heures."),
    "ended": ("The pass ended or moved on before the touch could leave.", "Le parcours s'est terminé avant que l'envoi parte."),
    "stopped": ("By `omni campaign stop`.", "Par `omni campaign stop`."),
    "render_failed": ("The message could not be rendered for this person; `omni touch show` names the field.", "Le message n'a pu être rendu ; `omni touch show` nomme le champ."),
    "refused": ("The provider refused it for good.", "Le prestataire l'a refusé définitivement."),
    "exhausted": ("Not sent after five attempts or 24 hours.", "Pas envoyé après cinq essais ou 24 heures."),
    "stale": ("Its live data (price, stock) was too old.", "Ses données vivantes (prix, stock) étaient trop vieilles."),
    "dropped": ("Unknown whether it left, and given up by policy.", "Départ incertain, abandonné selon la règle."),
}  # fmt: skip

HOLDS: dict[str, tuple[str, str]] = {
    "complaint_open": REASONS["complaint_open"],
    "pack": ("The rule pack of the contact's country: not on this day or at this hour.", "Les règles du pays du contact : pas ce jour ou pas à cette heure."),
    "cap": ("A frequency cap; waits as `at_cap` says.", "Un plafond de fréquence ; attend selon `at_cap`."),
    "min_gap": ("Too soon after the last touch.", "Trop tôt après le dernier contact."),
    "quiet_hours": ("Quiet hours where the contact lives; leaves at the first free moment.", "Heures calmes chez le contact ; part au premier moment libre."),
    "approval": ("More than `approve_above`: waits for an approved plan.", "Au-delà de `approve_above` : attend un plan approuvé."),
    "paused": ("The campaign is paused.", "La campagne est suspendue."),
    "hold": ("The store is on hold until `omni db recover`.", "La base est retenue jusqu'à `omni db recover`."),
    "rate": ("The channel's rate is used up for now.", "Le débit du canal est épuisé pour l'instant."),
    "breaker": ("The provider answers badly and is left alone: one message tries it again after 30 seconds to 15 minutes. After a refused login a person mends it: `omni doctor --live --provider NAME`.", "Le prestataire répond mal et est laissé de côté : un message l'essaie à nouveau après 30 secondes à 15 minutes. Après une identification refusée, une personne répare : `omni doctor --live --provider NOM`."),
}  # fmt: skip

EXITS: dict[str, tuple[str, str]] = {
    "0": ("Fine.", "Tout va bien."),
    "1": ("Findings, or failed scenarios.", "Des constats, ou des scénarios en échec."),
    "2": ("Wrong usage, no project, or an unreadable omni.yaml.", "Mauvais usage, pas de projet, ou omni.yaml illisible."),
    "3": ("Some sends failed or are unknown; the rest is done, running again is safe.", "Des envois ont échoué ou sont incertains ; le reste est fait, recommencer est sans risque."),
    "4": ("Refused: a yes, a confirmation or an approval is missing, or something is in the way of sending that a person must mend (the message says what).", "Refusé : il manque un oui, une confirmation ou un accord, ou une chose empêche l'envoi et une personne doit la réparer (le message dit laquelle)."),
    "5": ("Another run holds the lock.", "Une autre exécution tient le verrou."),
    "10": ("There is something to do (with --exit-code).", "Il y a quelque chose à faire (avec --exit-code)."),
    "130": ("Interrupted; running again is safe.", "Interrompu ; recommencer est sans risque."),
}  # fmt: skip

KEYS: dict[str, tuple[str, str]] = {
    "enter": ("Who enters, and when: `when` an event, `on` a date of the contact, `at` once, `every` week, or only `if`. Then `again`, `limit`.", "Qui entre, et quand : `when` un événement, `on` une date du contact, `at` une fois, `every` semaine, ou seulement `if`. Puis `again`, `limit`."),
    "exit": ("Rules that end a pass, asked before every step and on every response.", "Règles qui terminent un parcours, vérifiées avant chaque étape et à chaque réponse."),
    "goal": ("The event that the campaign is for; reaching it counts and, by default, ends the pass.", "L'événement visé ; l'atteindre compte et, par défaut, termine le parcours."),
    "holdout": ("The share of people who live the flow in silence, so that the effect can be measured.", "La part de gens qui vivent le parcours en silence, pour mesurer l'effet."),
    "quiet_hours": ("When nothing may leave, where the contact lives: `20:00-09:00`, `sunday`, `holidays`. Half-open; a night belongs to the day it begins.", "Quand rien ne part, chez le contact : `20:00-09:00`, `sunday`, `holidays`. Une nuit appartient au jour où elle commence."),
    "cap": ("At most so many marketing touches: `3 per week` is any 7 consecutive local dates.", "Au plus tant de contacts publicitaires : `3 per week` vaut sur 7 dates consécutives."),
    "min_gap": ("The least time between two marketing touches to one person.", "Le temps minimal entre deux contacts publicitaires à une personne."),
    "at_cap": ("What becomes of a touch that meets a cap: skip, next channel, or wait up to so long.", "Ce que devient un envoi qui atteint un plafond : sauté, canal suivant, ou attente."),
    "max_delay": ("A touch held longer than this after it was due is skipped as expired.", "Un envoi retenu plus longtemps que cela est sauté : expired."),
    "approve_above": ("A live run that would send more needs an approved plan.", "En réel, au-delà, il faut un plan approuvé."),
    "budget": ("What the campaign may cost in all; prices are reserved when a touch is decided.", "Ce que la campagne peut coûter ; les prix sont réservés dès la décision."),
    "send": ("One message by one channel: `by`, `else`, `at`, `if`.", "Un message par un canal : `by`, `else`, `at`, `if`."),
    "wait": ("Until time or answer: `3 days`, `until next 10:00`, `up to 3 days` with `for:` and `nothing:`.", "Jusqu'à l'heure ou la réponse : `3 days`, `until next 10:00`, `up to 3 days` avec `for:` et `nothing:`."),
    "choose": ("The first true branch; none true and no `else`: falls through.", "La première branche vraie ; aucune et pas de `else` : on continue."),
    "split": ("Arms by a hash of names: the same person, the same arm, always.", "Des bras selon un hachage : la même personne, le même bras, toujours."),
    "set": ("Writes contact attributes: a value, +5, -5, or clear.", "Écrit des attributs : une valeur, +5, -5 ou clear."),
    "call": ("A signed POST to a webhook.", "Un POST signé vers un webhook."),
    "go": ("To a later step.", "Vers une étape ultérieure."),
    "facts": ("What must reach the customer, identical, on every channel.", "Ce qui doit atteindre le client, identique, sur chaque canal."),
    "say": ("The words, by language and register, slot by slot.", "Les mots, par langue et registre, emplacement par emplacement."),
    "preferred": ("The contact's declared channel, else the one last answered on, else the persona's order, else `else`.", "Le canal déclaré du contact, sinon celui de sa dernière réponse, sinon l'ordre du persona, sinon `else`."),
    "persona": ("An archetype that the campaign writes for: a condition, needs, a tone, a channel order.", "Un archétype pour qui l'on écrit : une condition, des besoins, un ton, un ordre de canaux."),
    "segment": ("A named condition over contacts and their events.", "Une condition nommée sur les contacts et leurs événements."),
    "purpose": ("marketing, service or transactional: which guards apply.", "marketing, service ou transactional : quels garde-fous valent."),
    "again": ("Whether somebody may enter again: never, always, after 180 days.", "Si l'on peut entrer à nouveau : never, always, after 180 days."),
    "channels": ("In omni.yaml: what carries the messages, each with its provider and price, such as `whatsapp: {provider: twilio, price: 0.08 EUR}`. They are email sms whatsapp messenger voice push letter qr task (and webhook).", "Dans omni.yaml : ce qui porte les messages, chacun avec son prestataire et son prix, tel que `whatsapp: {provider: twilio, price: 0.08 EUR}`. Ce sont email sms whatsapp messenger voice push letter qr task (et webhook)."),
    "no_consent": ("This person has not said yes to marketing on this channel: `omni contact consent ID show`. Consents come by the import (`consent.email` in its map) or `omni contact consent`.", "Cette personne n'a pas dit oui au marketing sur ce canal : `omni contact consent ID show`. Les accords viennent par l'import (`consent.email` dans sa table) ou par `omni contact consent`."),
    "holidays": ("Public holidays of the contact's country, as a quiet window.", "Jours fériés du pays du contact, comme fenêtre calme."),
}  # fmt: skip

_KINDS = (
    (REASONS, "reason", "motif"),
    (KEYS, "key of the language", "clé du langage"),
    (HOLDS, "hold", "retenue"),
    (EXITS, "exit code", "code de sortie"),
    *delivery_words.KINDS,
)


def meaning(word: str, language: str) -> dict[str, str] | None:
    """The kind of the word and what it means, or None."""
    for table, english, french in _KINDS:
        if word in table:
            return {"kind": french if language == "fr" else english, "means": table[word][language == "fr"]}
    return None


def known_words() -> list[str]:
    """Everything that can be explained, for suggestions."""
    from omnicli.lint.rule import catalogue

    rules = catalogue()
    return [*rules, *(rule.name for rule in rules.values()), *(word for table, _, _ in _KINDS for word in table)]
