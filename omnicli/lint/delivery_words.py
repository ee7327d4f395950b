"""What `omni explain` says of words that delivery shows: how far a touch is, what bars an address, why a store is held, what came of a call."""

from __future__ import annotations

STATES: dict[str, tuple[str, str]] = {
    "planned": ("Decided and not yet due, or waiting for its turn.", "Décidé, pas encore dû ou en attente de son tour."),
    "claimed": ("A run has taken it and prepares it; nothing has left.", "Une exécution l'a pris et le prépare ; rien n'est parti."),
    "sending": ("It is with the provider right now.", "Il est en ce moment chez le prestataire."),
    "retry": ("It surely did not leave; the next run tries again, up to five times in 24 hours.", "Il n'est sûrement pas parti ; la prochaine exécution réessaie, cinq fois en 24 heures au plus."),
    "accepted": ("The provider took it. Whether it arrived is told later (delivered, bounced).", "Le prestataire l'a pris. S'il est arrivé, on l'apprend ensuite (remis, revenu)."),
    "rejected": ("The provider refused this one for good: `omni touch show` says why.", "Le prestataire l'a refusé définitivement : `omni touch show` dit pourquoi."),
    "unknown": ("Nobody knows whether it left: the answer was lost. It is never sent again by itself; a receipt, the provider's records or `omni touch resolve` settle it.", "Nul ne sait s'il est parti : la réponse s'est perdue. Il ne repart jamais de lui-même ; un accusé, les comptes du prestataire ou `omni touch resolve` tranchent."),
    "parked": ("Unknown for so long that nobody will tell any more: a person decides, by `omni touch resolve`.", "Inconnu depuis si longtemps que plus personne ne le dira : une personne tranche, par `omni touch resolve`."),
    "skipped": ("It is not sent; the reason stands beside it.", "Il n'est pas envoyé ; le motif est à côté."),
    "held_out": ("This person lives the flow in silence, so that the effect can be measured.", "Cette personne vit le parcours en silence, pour mesurer l'effet."),
    "intent": ("Written down before the provider is called, so that a crash leaves a doubt and never a second copy.", "Noté avant d'appeler le prestataire : un arrêt brutal laisse un doute, jamais un double."),
    "not_sent": ("This attempt surely did not leave.", "Cet essai n'est sûrement pas parti."),
    "waived": ("A person said what became of it.", "Une personne a dit ce qu'il en est."),
    "journal": ("Outcomes that the store could not take are kept in the file `.journal` beside it; the next run takes them in.", "Les résultats que la base n'a pu prendre sont gardés dans le fichier `.journal` à côté ; la prochaine exécution les reprend."),
    "canary": ("A version whose first messages fail is paused before it fails everybody: mend it, then `omni campaign resume`.", "Une version dont les premiers messages échouent est suspendue avant d'échouer pour tous : réparez, puis `omni campaign resume`."),
    "quality": ("Complaints, dead addresses or unsubscribes of the last 7 days are above the limit: marketing by this channel is paused.", "Plaintes, adresses mortes ou désabonnements des 7 derniers jours dépassent la limite : le marketing de ce canal est suspendu."),
    "confirmed_duplicate": ("A message that surely arrived twice, after somebody chose --resend.", "Un message sûrement arrivé deux fois, après un --resend choisi."),
    "moved": ("A variable or a setting points a provider elsewhere than its own address.", "Une variable ou un réglage mène un prestataire ailleurs qu'à son adresse."),
}  # fmt: skip

BARS: dict[str, tuple[str, str]] = {
    "suppressed": ("A bar lies on this address: `omni contact show` says which.", "Une exclusion pèse sur cette adresse : `omni contact show` dit laquelle."),
    "no_address": ("This person has no address for the channel.", "Cette personne n'a pas d'adresse pour ce canal."),
    "bad_address": ("The address is dead: a provider said that nobody is there.", "L'adresse est morte : un prestataire a dit qu'il n'y a personne."),
    "consent_expired": ("The permission was given for a time that is over.", "L'accord était donné pour un temps qui est passé."),
    "tried": ("This channel already refused this step.", "Ce canal a déjà refusé cette étape."),
    "no_template": ("templates/ has none for this channel.", "templates/ n'en a pas pour ce canal."),
    "no_approved_template": ("Outside of the 24 hours after an answer WhatsApp takes approved templates only: name one under `approved`.", "Hors des 24 heures après une réponse, WhatsApp ne prend que des modèles approuvés : nommez-en un sous `approved`."),
    "erased": ("The person asked to be forgotten; only a fingerprint is kept.", "La personne a demandé l'oubli ; il ne reste qu'une empreinte."),
    "objection": ("The person objected, in a call or by hand.", "La personne s'est opposée, au téléphone ou par une saisie."),
    "complained": ("The person reported a message as unwanted; only the person can lift it.", "La personne a signalé un message comme indésirable ; elle seule peut lever l'exclusion."),
    "stop": ("The person answered STOP; START to the same number lifts it.", "La personne a répondu STOP ; START au même numéro lève l'exclusion."),
    "unsubscribed": ("The person left by a link or a page, and may come back by the page.", "La personne s'est désabonnée par un lien ou une page, et peut revenir par la page."),
    "bounced": ("The address came back as dead.", "L'adresse est revenue comme morte."),
    "soft_bounces": ("Several messages in a row came back for a passing reason.", "Plusieurs messages de suite sont revenus pour une raison passagère."),
    "out_of_reach": ("The telephone was off several times within 30 days.", "Le téléphone était éteint plusieurs fois en 30 jours."),
    "doubt": ("An answer reads like a no and says it unclearly: barred until somebody has read it (a task).", "Une réponse ressemble à un refus sans le dire clairement : exclu jusqu'à lecture par quelqu'un (une tâche)."),
    "contradiction": ("A provider tells something that this store says never happened: `omni doctor` counts them. One about a message that was never sent puts the store on hold.", "Un prestataire dit une chose qui, selon la base, n'a pas eu lieu : `omni doctor` les compte. Sur un message jamais envoyé, la base est retenue."),
}  # fmt: skip

HELD: dict[str, tuple[str, str]] = {
    "restored": ("The store comes from a backup: `omni db recover --live` doubts what may have been sent since, then releases it.", "La base vient d'une sauvegarde : `omni db recover --live` doute de ce qui a pu partir depuis, puis la libère."),
    "older": ("The file beside the store is ahead of it: an older copy was put back. `omni db recover --live`.", "Le fichier à côté de la base est en avance sur elle : une copie ancienne a été remise. `omni db recover --live`."),
    "another": ("Another database stood here before: `omni db recover --live` when this one is right.", "Une autre base était ici avant : `omni db recover --live` si celle-ci est la bonne."),
    "copied": ("No mark stands beside the store: it was copied here without its `.serial`. `omni db recover --live`.", "Pas de marque à côté de la base : elle a été copiée ici sans son `.serial`. `omni db recover --live`."),
    "server": ("The store stands on another PostgreSQL server, or in another database, than it was made in: a copy was put there. `omni db recover --live` when this one is right.", "La base est sur un autre serveur PostgreSQL, ou dans une autre base, que là où elle est née : une copie y a été mise. `omni db recover --live` si celle-ci est la bonne."),
    "timeline": ("The server was taken back to an earlier moment, or a standby took over: what was sent since may be missing. `omni db recover --live`.", "Le serveur a été ramené à un instant antérieur, ou un secours a pris le relais : ce qui est parti depuis peut manquer. `omni db recover --live`."),
    "moved": ("The store was moved by `omni db copy --move`: another database sends in its place, and `database:` must name that one.", "La base a été déménagée par `omni db copy --move` : une autre envoie à sa place, et `database:` doit désigner celle-là."),
    "twin": ("The store is a copy of a live one: both would send the same. `omni db recover --live` only when the original was stopped for good.", "La base est la copie d'une base réelle : les deux enverraient la même chose. `omni db recover --live` seulement si l'originale est arrêtée pour de bon."),
    "copying": ("A copy into this store was cut off: the same `omni db copy` goes on where it was.", "Une copie vers cette base a été coupée : la même commande `omni db copy` reprend où elle en était."),
    "unreadable": ("The mark beside the store cannot be read: `omni db recover --live`.", "La marque à côté de la base est illisible : `omni db recover --live`."),
}  # fmt: skip

CALLS: dict[str, tuple[str, str]] = {
    "connect": ("The provider was not reached: nothing left, it is tried again.", "Le prestataire n'a pas été joint : rien n'est parti, on réessaie."),
    "lost": ("The connection broke before the whole answer came: nobody knows whether it left.", "La connexion s'est coupée avant la réponse entière : nul ne sait si c'est parti."),
    "late": ("Its time ran out, or the machine slept before the call: nothing left.", "Son délai était passé, ou la machine dormait avant l'appel : rien n'est parti."),
    "tls": ("The certificate or the encryption of the provider was not right: nothing was said to it.", "Le certificat ou le chiffrement du prestataire n'allait pas : rien ne lui a été dit."),
    "auth": ("The provider refused the login: `omni doctor --live --provider NAME`.", "Le prestataire a refusé l'identification : `omni doctor --live --provider NOM`."),
    "defect": ("A fault in omni or its client while sending; please report it.", "Un défaut d'omni ou de son client pendant l'envoi ; merci de le signaler."),
    "size": ("The message is larger than the provider takes.", "Le message est plus gros que ce que prend le prestataire."),
    "header": ("A value in the head of the mail holds what may not stand there.", "Une valeur de l'en-tête du courriel contient ce qui n'y a pas sa place."),
    "sender": ("`from` of the channel is missing or not what the provider takes.", "`from` du canal manque ou n'est pas ce que prend le prestataire."),
}  # fmt: skip

REFUSALS: dict[str, tuple[str, str]] = {
    "half_copied": ("`omni db copy` into this store was cut off: the command that is named goes on where it was; nothing else touches half a copy.", "`omni db copy` vers cette base a été coupé : la commande indiquée reprend où elle en était ; rien d'autre ne touche à une demi-copie."),
    "usage": ("The command was not written as it wants: its `--help` shows an example.", "La commande n'est pas écrite comme elle le veut : son `--help` montre un exemple."),
    "provider": ("A provider cannot carry what the project asks; the message names the setting. `omni doctor --live` shows all.", "Un prestataire ne peut porter ce que demande le projet ; le message nomme le réglage. `omni doctor --live` montre tout."),
    "keys_lost": ("Keys that the store has used are not there: put `.omni/keys` or OMNI_KEYS back. Nothing is sent until then.", "Des clés dont la base s'est servie manquent : remettez `.omni/keys` ou OMNI_KEYS. Rien ne part d'ici là."),
    "keys": ("`.omni/keys` cannot be read as keys: put your copy back.", "`.omni/keys` ne se lit pas comme des clés : remettez votre copie."),
    "migration_pending": ("The store is older than this omni: `omni db upgrade --live`, which makes a backup first.", "La base est plus ancienne que cet omni : `omni db upgrade --live`, qui fait d'abord une sauvegarde."),
    "store_newer": ("The store was written by a newer omni: install that one.", "La base a été écrite par un omni plus récent : installez-le."),
    "network_fs": ("The store lies on a network file system, where locks and syncs cannot be trusted: put it on a disk of this machine.", "La base est sur un système de fichiers réseau, où verrous et écritures ne sont pas sûrs : mettez-la sur un disque de cette machine."),
    "self_test": ("This installation renders messages wrongly: install omni anew.", "Cette installation compose mal les messages : réinstallez omni."),
    "jinja": ("Jinja is too old to be trusted with templates: `pip install --upgrade jinja2`.", "Jinja est trop ancien pour qu'on lui confie des gabarits : `pip install --upgrade jinja2`."),
    "other_project": ("The store belongs to a project of another name.", "La base est celle d'un projet d'un autre nom."),
    "disk": ("The store could not be written, or the disk is nearly full: make room, then `omni doctor`.", "La base n'a pu être écrite, ou le disque est presque plein : faites de la place, puis `omni doctor`."),
    "room": ("The disk is nearly full.", "Le disque est presque plein."),
    "busy": ("Another omni is writing; try again.", "Un autre omni écrit ; réessayez."),
    "locked": ("Another run is at work; it sends what is due.", "Une autre exécution est en cours ; elle envoie ce qui est dû."),
    "port": ("`omni serve` cannot listen there: another program does, or the address is not of this machine.", "`omni serve` ne peut écouter là : un autre programme y est, ou l'adresse n'est pas de cette machine."),
    "backup": ("The copy could not be made whole; nothing was changed.", "La copie n'a pu être faite entière ; rien n'a changé."),
    "extra": ("A part of omni that is installed by itself: the hint has the command.", "Une partie d'omni qui s'installe à part : l'indication donne la commande."),
    "not-a-colleague": ("Tests go to members of `teams` only.", "Les essais ne vont qu'aux membres de `teams`."),
    "no-touch": ("No touch has this id, or none of those that are in doubt.", "Aucun envoi n'a cet identifiant, ou aucun de ceux en doute."),
    "no-provider": ("No channel goes by this provider.", "Aucun canal ne passe par ce prestataire."),
    "no-store": ("Nothing was stored yet: an import makes the store.", "Rien n'est encore enregistré : un import crée la base."),
    "restless": ("The run went round too often without coming to rest; running again is safe.", "L'exécution a trop tourné sans s'achever ; recommencer est sans risque."),
}  # fmt: skip

KINDS = (
    (STATES, "state of a touch", "état d'un envoi"),
    (BARS, "bar or hindrance", "exclusion ou empêchement"),
    (HELD, "why a store is on hold", "pourquoi la base est retenue"),
    (CALLS, "what came of a call", "ce qu'a donné un appel"),
    (REFUSALS, "refusal", "refus"),
)
