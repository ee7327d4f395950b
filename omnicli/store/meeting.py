"""The first word with a PostgreSQL server: is it one that omni can keep a store on, and who is asked when it is not.

`meet` asks once, as a store is opened; `Server` is what it says of itself, for the start of a live run and for the doctor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.store import refusals
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.postgres import PostgresStore

#: The oldest PostgreSQL that a store is kept on.
OLDEST = 13
_ASK = """SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
 pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collation, current_setting('fsync') AS fsync,
 current_setting('full_page_writes') AS full_pages, current_setting('synchronous_commit') AS commits, pg_is_in_recovery() AS standby,
 current_setting('search_path') AS path, to_regnamespace(:schema) IS NOT NULL AS there,
 has_database_privilege(d.oid, 'CREATE') AS may_create,
 CASE WHEN to_regnamespace(:schema) IS NULL THEN true ELSE has_schema_privilege(to_regnamespace(:schema), 'USAGE, CREATE') END AS may_use,
 current_user AS role FROM pg_database d WHERE d.datname = current_database()"""


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself and of this schema. `number` is 150018 for 15.18; `may_use`: tables may be read and made in the schema."""

    number: int
    version: str
    encoding: str
    collation: str
    fsync: str
    full_pages: str
    commits: str
    standby: bool
    path: str
    there: bool
    may_create: bool
    may_use: bool
    role: str

    @property
    def major(self) -> int:
        return self.number // 10_000


def ask(connection: sa.Connection, schema: str) -> Server:
    """What the server at the other end says."""
    return Server(*connection.execute(sa.text(_ASK), {"schema": schema}).one())


def meet(store: PostgresStore) -> Server:
    """Open the first connection; OmniError, with what mends it, when there is none to be had or the server is not fit."""
    try:
        with store.read() as connection:
            found = ask(connection, store.schema)
    except sa.exc.SQLAlchemyError as error:
        if (said := refusals.of_server(error, store.where)) is not None:
            raise said from None
        raise
    if (why := unfit(found, store)) is not None:
        raise why
    return found


def unfit(server: Server, store: PostgresStore) -> OmniError | None:
    """Why no store can be kept there, or None."""
    where, role, schema = store.where, server.role, store.schema
    if server.major < OLDEST:
        return _no(t("{where}: PostgreSQL {v} is too old", "{where} : PostgreSQL {v} est trop ancien", where=where, v=server.version),
                   t("PostgreSQL {n} or newer", "PostgreSQL {n} ou plus récent", n=OLDEST))  # fmt: skip
    if server.encoding != "UTF8":
        return _no(t("{where}: the database is in {found}, not in UTF8", "{where} : la base est en {found}, pas en UTF8", where=where, found=server.encoding),
                   "CREATE DATABASE omni ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")  # fmt: skip
    if server.standby:
        return _no(t("{where} is a standby: it can only be read", "{where} est un serveur de secours : il ne se lit qu'en lecture", where=where),
                   t("give the address of the primary", "donnez l'adresse du serveur principal"))  # fmt: skip
    if not server.there and not server.may_create:
        return _no(t("{role} may not make the schema {schema} in {where}", "{role} ne peut pas créer le schéma {schema} dans {where}", role=role, schema=schema, where=where),
                   f"CREATE SCHEMA {schema} AUTHORIZATION {role}")  # fmt: skip
    if not server.may_use:
        return _no(t("{role} may not use the schema {schema} of {where}", "{role} n'a pas de droits sur le schéma {schema} de {where}", role=role, schema=schema, where=where),
                   f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}")  # fmt: skip
    return None


def careless(server: Server) -> OmniError | None:
    """Why a live store must not send from there: a commit that returned may be lost (docs/delivery 8)."""
    for setting, value in (("fsync", server.fsync), ("full_page_writes", server.full_pages)):
        if value != "on":
            return _no(t("the server runs with {setting}={value}: what was committed may be lost, and would be sent again",
                         "le serveur tourne avec {setting}={value} : ce qui est enregistré peut se perdre, et repartirait", setting=setting, value=value),
                       f"ALTER SYSTEM SET {setting} = on; SELECT pg_reload_conf()")  # fmt: skip
    if server.commits in ("off", "local"):
        return _no(t("commits do not wait for the disk here (synchronous_commit={value})", "les commits n'attendent pas le disque ici (synchronous_commit={value})", value=server.commits),
                   t("let omni set it: it asks for `on` in each session", "laissez omni le régler : il demande `on` à chaque session"))  # fmt: skip
    return None


def _no(message: str, hint: str) -> OmniError:
    return OmniError(message, hint=hint, code="server", exit=Exit.REFUSED)
