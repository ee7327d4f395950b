"""What PostgreSQL refuses, told as what it is, with what mends it; never a password, a statement or a value."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.texts import t

#: SQLSTATE → which sentence; two letters stand for a whole class (PostgreSQL's manual, appendix A).
_STATES = {
    "28": "role", "3D": "no_database", "42501": "rights", "25006": "standby", "57P01": "lost", "57P02": "lost", "57P03": "starting", "08": "lost",
    "53300": "crowded", "53100": "full", "53": "short", "XX001": "damaged", "XX002": "damaged", "42P01": "foreign", "42703": "foreign",
    "55P03": "busy", "40": "busy", "57014": "slow",
}  # fmt: skip
#: Words of libpq and of a server that refuses a connection, which carry no SQLSTATE: English, whatever the server speaks.
_WORDS = (
    (r"invalid connection option|invalid port number|invalid (\S+|integer) value|bad value for |invalid value for parameter", "address"),
    (r"password authentication failed|no password supplied|role .* does not exist|no pg_hba\.conf entry|Peer authentication|not permitted to log in", "role"),
    (r"database .* does not exist", "no_database"),
    (r"too many clients|remaining connection slots|too many connections", "crowded"),
    (r"is starting up|is shutting down|in recovery mode", "starting"),
    (r"could not translate host name|Name or service not known|failed to resolve host|nodename nor servname", "no_host"),
    (r"server does not support SSL|SSL error|certificate", "tls"),
    (r"server closed the connection|terminating connection|connection is (lost|closed)|connection has been closed|consuming input failed"
     r"|SSL connection has been closed|sending query failed|connection not open|broken pipe|EOF detected", "lost"),
    (r"connection refused|timeout expired|timed out|no route to host|network is unreachable|no such file or directory|connection failed", "away"),
)  # fmt: skip

#: What libpq says before a reason, and what it asks after one.
_PREFACE = re.compile(r"^.*?connection to server (at|on socket) .*? failed: (FATAL:\s*)?|^\s+")
_ASKS = re.compile(r"\s*Is the server running")


def of_server(error: BaseException, where: str) -> OmniError | None:
    """The OmniError for what a PostgreSQL driver or server refused; None for what is a defect of ours, or another's error.

    `where` names host, database and schema. Exit 3 where what was done stands and running again is safe, 4 where a person must act.
    """
    said: Any = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if not type(said).__module__.startswith("psycopg"):
        return _of_pool(error, where)
    kind = _kind(said)
    return None if kind is None else _told(kind, where, _first_line(said))


def _of_pool(error: BaseException, where: str) -> OmniError | None:
    return _told("crowded", where, "") if isinstance(error, sa.exc.TimeoutError) else None


def _kind(error: Any) -> str | None:
    state = getattr(error, "sqlstate", None)
    if state:
        return _STATES.get(state) or _STATES.get(state[:2])
    text = str(error)
    found = next((kind for pattern, kind in _WORDS if re.search(pattern, text, re.IGNORECASE)), None)
    return found or ("away" if type(error).__name__ in ("OperationalError", "ConnectionTimeout", "InterfaceError") else None)


def _first_line(error: Any) -> str:
    """What the server said, without the statement; the first line is the server's own."""
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
    text = diagnosis or _PREFACE.sub(
        "", ([line for line in str(error).splitlines() if line.strip() and not _ASKS.match(line)] or [type(error).__name__])[-1]
    )
    return re.sub(r"(?i)(password\s*=\s*)\S+|(://[^:/@\s]+:)[^@\s]+@", r"\1\2***@", str(text))[:200]


def _named(where: str) -> str:
    """The database of `host:port/database (schema)`, as SQL writes it."""
    name = where.rpartition(" (")[0].rpartition("/")[2]
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def _told(kind: str, where: str, why: str) -> OmniError:
    message, hint, code, leave = {
        "role": (t("{where} does not let this role in ({why})", "{where} refuse ce rôle ({why})", where=where, why=why),
                 t("check user and password of the address (PGPASSWORD or ~/.pgpass hold it too)",
                   "vérifiez le rôle et le mot de passe de l'adresse (PGPASSWORD ou ~/.pgpass conviennent aussi)"), "login", Exit.REFUSED),
        "address": (t("{where}: a part of the address is wrong ({why})", "{where} : une partie de l'adresse est fausse ({why})", where=where, why=why),
                    t("what stands behind the ? is for libpq: ?sslmode=require&connect_timeout=10", "ce qui suit le ? est pour libpq : ?sslmode=require&connect_timeout=10"),
                    "database", Exit.USAGE),
        "no_database": (t("there is no such database: {where}", "cette base n'existe pas : {where}", where=where),
                        f"CREATE DATABASE {_named(where)} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0", "no_database", Exit.REFUSED),
        "rights": (t("{where}: a right is missing ({why})", "{where} : il manque un droit ({why})", where=where, why=why),
                   t("new columns or tables: omni db upgrade, by the role that owns them; docs/postgresql.md 1 lists what a role needs",
                     "colonnes ou tables nouvelles : omni db upgrade, par le rôle à qui elles sont ; docs/postgresql.md 1 dit ce qu'il faut à un rôle"), "rights", Exit.REFUSED),
        "standby": (t("{where} can only be read: it is a standby, or set so", "{where} est en lecture seule : c'est un secours, ou un réglage", where=where),
                    t("give the address of the primary", "donnez l'adresse du serveur principal"), "server", Exit.REFUSED),
        "crowded": (t("{where} has no connection left", "{where} n'a plus de connexion libre", where=where),
                    t("fewer workers, or a higher max_connections; running again is safe", "moins de processus, ou max_connections plus haut ; recommencer est sans risque"), "busy", Exit.LOCKED),
        "starting": (t("{where} is starting or stopping", "{where} démarre ou s'arrête", where=where),
                     t("try again in a moment: running again is safe", "réessayez dans un instant : recommencer est sans risque"), "away", Exit.SOME_FAILED),
        "no_host": (t("no such host: {where}", "cet hôte n'existe pas : {where}", where=where), t("check the address", "vérifiez l'adresse"), "away", Exit.REFUSED),
        "tls": (t("{where}: no safe connection ({why})", "{where} : pas de connexion sûre ({why})", where=where, why=why),
                t("sslmode and sslrootcert stand behind the address: ?sslmode=require", "sslmode et sslrootcert suivent l'adresse : ?sslmode=require"), "tls", Exit.REFUSED),
        "lost": (t("the connection to {where} was lost", "la connexion à {where} s'est rompue", where=where),
                 t("what was committed stands, nothing is half done: running again is safe",
                   "ce qui est enregistré tient, rien n'est fait à moitié : recommencer est sans risque"), "lost", Exit.SOME_FAILED),
        "away": (t("{where} cannot be reached ({why})", "{where} est injoignable ({why})", where=where, why=why),
                 t("is the server up, and the address right?", "le serveur tourne-t-il, l'adresse est-elle juste ?"), "away", Exit.SOME_FAILED),
        "full": (t("{where}: the server's disk is full", "{where} : le disque du serveur est plein", where=where),
                 t("make room and run it again: what was committed stands", "faites de la place et recommencez : ce qui est enregistré tient"), "disk", Exit.SOME_FAILED),
        "short": (t("{where}: the server is short of something ({why})", "{where} : le serveur manque de ressources ({why})", where=where, why=why),
                  t("running again is safe", "recommencer est sans risque"), "server", Exit.SOME_FAILED),
        "damaged": (t("{where} is damaged ({why})", "{where} est abîmée ({why})", where=where, why=why),
                    t("omni db check; then put a backup back, and omni db recover", "omni db check ; puis remettez une sauvegarde, et omni db recover"), "store", Exit.USAGE),
        "foreign": (t("{where} is not whole, or is another program's ({why})", "{where} est incomplète, ou à un autre programme ({why})", where=where, why=why),
                    "omni db check", "store", Exit.USAGE),
        "busy": (t("others hold what this needs in {where}", "d'autres tiennent ce qu'il faut dans {where}", where=where),
                 t("try again: running again is safe", "réessayez : recommencer est sans risque"), "busy", Exit.LOCKED),
        "slow": (t("{where} stopped a statement that took too long", "{where} a arrêté une requête trop longue", where=where),
                 t("is statement_timeout set for this role?", "statement_timeout est-il réglé pour ce rôle ?"), "slow", Exit.SOME_FAILED),
    }[kind]  # fmt: skip
    return OmniError(message, hint=hint, code=code, exit=leave)
