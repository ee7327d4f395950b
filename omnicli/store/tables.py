"""Every table, index and constraint, for SQLite (STRICT) and PostgreSQL alike (docs/delivery 7).

Instants are integers: milliseconds UTC. Local dates in `cap_slot` are ISO text. Declared attributes and event fields are
real columns added by `store/columns.py` outside Alembic: `contact.a_<name>` (the value), `contact.f_<name>` (folded
copy of a text, code or list), `event.p_<field>` (the comparable value). All constraints are named.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from omnicli import guards
from omnicli.model.touch import SEND_STATES

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s", "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)  # fmt: skip

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BLOB = sa.LargeBinary()
TEXT = sa.Text()
C = sa.Column


@compiles(sa.Text, "postgresql")
def _text(_type: sa.Text, _compiler: Any, *, type_expression: Any = None, **_more: Any) -> str:
    """A column of texts orders and compares by bytes, as in SQLite, whatever the collation of the database that it was put into."""
    return 'TEXT COLLATE "C"' if isinstance(type_expression, sa.Column) else "TEXT"


def _table(name: str, *columns: sa.schema.SchemaItem, without_rowid: bool = False) -> sa.Table:
    return sa.Table(name, metadata, *columns, sqlite_strict=True, sqlite_with_rowid=not without_rowid)


def _fk(target: str) -> sa.ForeignKey:
    return sa.ForeignKey(target)


# --- the house ------------------------------------------------------------------------------------------------------
instance = _table(
    "instance",
    C("id", TEXT, primary_key=True),
    C("epoch", INT, nullable=False),
    C("serial", INT, nullable=False),
    C("hold", TEXT),
)
#: Small facts of this store: `clock` (the sandbox's latest instant), `project`, `tzdata`, `last_tick` …
setting = _table("setting", C("key", TEXT, primary_key=True), C("value", TEXT, nullable=False))
#: Declared attributes and event fields that have columns: owner `contact` or `event`.
declared = _table(
    "declared",
    C("owner", TEXT, primary_key=True),
    C("name", TEXT, primary_key=True),
    C("kind", TEXT, nullable=False),
    without_rowid=True,
)
audit = _table(
    "audit", C("id", ID, primary_key=True), C("at", INT, nullable=False), C("who", TEXT, nullable=False),
    C("what", TEXT, nullable=False), C("detail", TEXT),
)  # fmt: skip
#: Who leads a task that one process does for all (docs/delivery 12): a lease with a fence. `done_at`: when it was last done. Milliseconds
#: of the database's own clock.
leader = _table(
    "leader",
    C("task", TEXT, primary_key=True), C("held_by", TEXT), C("until", INT, nullable=False, server_default="0"),
    C("fence", INT, nullable=False, server_default="0"), C("done_at", INT, nullable=False, server_default="0"),
    without_rowid=True,
)  # fmt: skip
#: Processes of `omni worker`, alive while `seen_at` is young; `done`: jobs they have carried out.
worker = _table(
    "worker",
    C("name", TEXT, primary_key=True), C("host", TEXT, nullable=False), C("started_at", INT, nullable=False), C("seen_at", INT, nullable=False),
    C("threads", INT, nullable=False), C("done", INT, nullable=False, server_default="0"),
    without_rowid=True,
)  # fmt: skip

# --- people ---------------------------------------------------------------------------------------------------------
contact = _table(
    "contact",
    C("id", ID, primary_key=True),
    C("uid", BLOB, nullable=False, unique=True),
    C("source_id", TEXT, nullable=False, unique=True),
    C("language", TEXT), C("country", TEXT), C("region", TEXT), C("time_zone", TEXT), C("preferred_channel", TEXT), C("place", TEXT),
    C("created_at", INT, nullable=False), C("changed_at", INT, nullable=False), C("erased_at", INT),
    C("last_human_channel", TEXT), C("last_human_at", INT),
    C("complaint_until", INT),
    C("reach", TEXT, nullable=False, server_default="{}"),
    C("attributes_at", INT),  # when an attribute was last brought or set: what live facts (`max_age`) are dated by
    sa.Index("ix_contact_changed_at", "changed_at"),
)  # fmt: skip
address = _table(
    "address",
    C("contact_id", INT, _fk("contact.id"), primary_key=True), C("channel", TEXT, primary_key=True),
    C("value", TEXT, nullable=False), C("norm", TEXT, nullable=False), C("bad", TEXT),
    C("hmac", BLOB),  # the keyed fingerprint that `suppression.norm_hmac` holds: so a bar is found without the key
    sa.Index("ix_address_channel_norm", "channel", "norm"),
    without_rowid=True,
)  # fmt: skip
#: The permission now; `consent_log` beside it only grows.
consent = _table(
    "consent",
    C("contact_id", INT, _fk("contact.id"), primary_key=True), C("channel", TEXT, primary_key=True),
    C("purpose", TEXT, primary_key=True), C("granted", INT, nullable=False), C("at", INT, nullable=False), C("until", INT),
    C("source", TEXT),
    without_rowid=True,
)  # fmt: skip
consent_log = _table(
    "consent_log",
    C("id", ID, primary_key=True), C("contact_id", INT, _fk("contact.id"), nullable=False), C("channel", TEXT, nullable=False),
    C("purpose", TEXT, nullable=False), C("state", TEXT, nullable=False), C("at", INT, nullable=False), C("until", INT),
    C("source", TEXT), C("proof", TEXT), C("recorded_at", INT, nullable=False),
    sa.Index("ix_consent_log_contact_id", "contact_id"),
)  # fmt: skip
#: A bar on an address (by fingerprint), scope `all` purposes, `marketing`, or `topic:<name>` of it; an import never lifts it.
#: Bars of different reasons stand side by side: lifting one leaves the others.
suppression = _table(
    "suppression",
    C("channel", TEXT, primary_key=True), C("norm_hmac", BLOB, primary_key=True), C("scope", TEXT, primary_key=True),
    C("reason", TEXT, primary_key=True), C("at", INT, nullable=False), C("until", INT), C("source", TEXT),
    without_rowid=True,
)  # fmt: skip
suppression_log = _table(
    "suppression_log",
    C("id", ID, primary_key=True), C("channel", TEXT, nullable=False), C("norm_hmac", BLOB, nullable=False),
    C("scope", TEXT, nullable=False), C("reason", TEXT, nullable=False), C("state", TEXT, nullable=False),
    C("at", INT, nullable=False), C("recorded_at", INT, nullable=False), C("source", TEXT),
    sa.Index("ix_suppression_log_norm_hmac", "norm_hmac"),
)  # fmt: skip
import_job = _table(
    "import_job",
    C("id", ID, primary_key=True), C("kind", TEXT, nullable=False), C("fingerprint", TEXT, nullable=False, unique=True),
    C("file", TEXT, nullable=False), C("started_at", INT, nullable=False), C("rows_done", INT, nullable=False),
    C("finished_at", INT), C("report", TEXT),
)  # fmt: skip
#: What was refused or repaired: one row a value, `row` from 1 after the header.
import_row = _table(
    "import_row",
    C("import_id", INT, _fk("import_job.id"), primary_key=True), C("row_no", INT, primary_key=True), C("seq", INT, primary_key=True),
    C("line", INT, nullable=False), C("contact", TEXT), C("column", TEXT, nullable=False), C("value", TEXT), C("kind", TEXT, nullable=False),
    C("outcome", TEXT, nullable=False), C("reason", TEXT, nullable=False), C("became", TEXT), C("same_as_row", INT),
    without_rowid=True,
)  # fmt: skip

# --- what happened --------------------------------------------------------------------------------------------------
#: Append-only. `enrollment_id campaign message step channel` say which touch it answers, where known.
event = _table(
    "event",
    C("id", ID, primary_key=True), C("contact_id", INT, _fk("contact.id"), nullable=False), C("name", TEXT, nullable=False),
    C("at", INT, nullable=False), C("enrollment_id", INT, _fk("enrollment.id")), C("campaign", TEXT), C("message", TEXT), C("step", TEXT),
    C("channel", TEXT), C("machine", INT, nullable=False, server_default="0"), C("payload", TEXT), C("received_at", INT, nullable=False),
    sa.Index("ix_event_contact_id_name_at", "contact_id", "name", "at", "machine"),  # machine: so that conditions read the index alone
    sa.Index("ix_event_name_at_contact_id", "name", "at", "contact_id", "machine"),
    sa.Index("ix_event_name_id", "name", "id"),
    sa.Index("ix_event_enrollment_id", "enrollment_id", "name", "at", sqlite_where=sa.text("enrollment_id IS NOT NULL"),
             postgresql_where=sa.text("enrollment_id IS NOT NULL")),
)  # fmt: skip
#: What came in, as it came; folded into `event` afterwards. `provider` is the source, `dedup_key` a hash.
inbox = _table(
    "inbox",
    C("provider", TEXT, primary_key=True), C("dedup_key", BLOB, primary_key=True), C("provider_event_id", TEXT), C("raw", BLOB),  # a hash of it, and of its provider
    C("received_at", INT, nullable=False), C("folded_at", INT), C("outcome", TEXT),
    C("body", BLOB),  # as the provider posted it; taken away after 30 days, the keys stay 400
    sa.Index("inbox_event", "provider_event_id", unique=True, sqlite_where=sa.text("provider_event_id IS NOT NULL"),
             postgresql_where=sa.text("provider_event_id IS NOT NULL")),
    sa.Index("ix_inbox_unfolded", "received_at", sqlite_where=sa.text("folded_at IS NULL"), postgresql_where=sa.text("folded_at IS NULL")),
)  # fmt: skip

# --- campaigns ------------------------------------------------------------------------------------------------------
campaign = _table(
    "campaign",
    C("id", ID, primary_key=True), C("name", TEXT, nullable=False, unique=True),
    C("state", TEXT, nullable=False), C("version_id", INT), C("started_at", INT), C("since", INT), C("paused_at", INT),
    C("pause_people", TEXT), C("because", TEXT), C("stopped_at", INT),
    C("last_event_id", INT, nullable=False, server_default="0"),  # entrants by event: ids above it are new
    C("last_look_at", INT), C("last_changed_at", INT),            # entrants by `if`
    sa.CheckConstraint("state IN ('draft','running','paused','stopped','finished')", name="state"),
)  # fmt: skip
#: Immutable, content-addressed; `tree` is the canonical JSON of the resolved tree.
campaign_version = _table(
    "campaign_version",
    C("id", ID, primary_key=True), C("campaign_id", INT, _fk("campaign.id"), nullable=False), C("number", INT, nullable=False),
    C("hash", TEXT, nullable=False), C("tree", TEXT, nullable=False), C("applied_at", INT, nullable=False),
    sa.UniqueConstraint("campaign_id", "hash"), sa.UniqueConstraint("campaign_id", "number"),
)  # fmt: skip
enrollment = _table(
    "enrollment",
    C("id", ID, primary_key=True), C("key", BLOB, nullable=False, unique=True),
    C("contact_id", INT, _fk("contact.id"), nullable=False), C("campaign_id", INT, _fk("campaign.id"), nullable=False),
    C("version_id", INT, _fk("campaign_version.id"), nullable=False), C("pass", INT, nullable=False),
    C("entered_at", INT, nullable=False), C("entered_event", INT), C("language", TEXT, nullable=False), C("persona", TEXT),
    C("held_out", INT, nullable=False, server_default="0"),
    C("step", TEXT), C("since", INT, nullable=False), C("wait_from", INT), C("wait_until", INT),
    C("due_at", INT), C("due_wall", TEXT), C("due_zone", TEXT), C("held_by", TEXT), C("held_from", INT), C("spread", INT, nullable=False, server_default="0"),
    C("state", TEXT, nullable=False), C("reason", TEXT), C("ended_at", INT), C("touch_id", INT), C("tried", TEXT), C("told", TEXT), C("converted_at", INT),
    C("converted_value", INT),
    sa.CheckConstraint("state IN ('open','ended')", name="state"),
    sa.UniqueConstraint("contact_id", "campaign_id", "pass"),
    sa.Index("uq_enrollment_open", "contact_id", "campaign_id", unique=True, sqlite_where=sa.text("state = 'open'"),
             postgresql_where=sa.text("state = 'open'")),
    sa.Index("ix_enrollment_due", "due_at", "key", "version_id", "step", "state", sqlite_where=sa.text("due_at IS NOT NULL AND state = 'open'"),
             postgresql_where=sa.text("due_at IS NOT NULL AND state = 'open'")),
    sa.Index("ix_enrollment_campaign", "campaign_id", "state", "step"),
    sa.Index("ix_enrollment_touch", "touch_id", sqlite_where=sa.text("touch_id IS NOT NULL"), postgresql_where=sa.text("touch_id IS NOT NULL")),
)  # fmt: skip
#: The text of omni.yaml as it stood when something was decided, once each.
ground = _table(
    "ground",
    C("id", ID, primary_key=True), C("hash", TEXT, nullable=False, unique=True), C("text", TEXT, nullable=False), C("at", INT, nullable=False),
)  # fmt: skip
decision = _table(
    "decision",
    C("id", ID, primary_key=True), C("enrollment_id", INT, _fk("enrollment.id"), nullable=False), C("at", INT, nullable=False),
    C("step", TEXT, nullable=False), C("kind", TEXT, nullable=False), C("why", TEXT),
    C("premises", BLOB), C("ground_id", INT),  # what it was taken on (engine/premises), under which omni.yaml (ground)
    sa.Index("ix_decision_enrollment_id_at", "enrollment_id", "at"),
)  # fmt: skip


# --- the outbox -----------------------------------------------------------------------------------------------------
def _one_of(column: str, *values: str) -> str:
    """What a check asks: SQLite would build a list of three values and more anew for every row, equalities it compares."""
    return " OR ".join(f"{column} = '{value}'" for value in values)


#: Touches whose price a budget counts: planned ones reserve it, those that ended without leaving gave it back.
#: Only those have a reason. SQLite writes an entry of an index anew whenever a column of its condition is set, so none of these names
#: `send_state`: an intent writes no index at all.
SPENT = "cost > 0 AND reason IS NULL"
#: Touches that nobody has in hand and that have not ended (unknown and parked ones among them); those under a lease.
WAITING, LEASED = "lease_by IS NULL AND settled_at IS NULL", "lease_by IS NOT NULL"
#: An attempt that may have reached somebody: at most one a touch.
OPEN = "outcome IN ('intent','unknown') OR outcome = 'accepted'"
#: WhatsApp messages that left, or may have.
WHATSAPP = "channel = 'whatsapp' AND send_state IN ('sending','accepted','unknown','parked')"
touch = _table(
    "touch",
    C("id", ID, primary_key=True), C("touch_key", BLOB, nullable=False, unique=guards.on("touch_key")),
    C("contact_id", INT, _fk("contact.id"), nullable=False), C("enrollment_id", INT, _fk("enrollment.id"), nullable=False),
    C("version_id", INT, _fk("campaign_version.id"), nullable=False),
    C("step", TEXT, nullable=False), C("message", TEXT, nullable=False), C("channel", TEXT, nullable=False), C("purpose", TEXT, nullable=False),
    C("priority", INT, nullable=False), C("due_at", INT, nullable=False), C("expires_at", INT, nullable=False),
    C("send_state", TEXT, nullable=False), C("reason", TEXT), C("delivery_state", TEXT, nullable=False, server_default="none"),
    C("flags", TEXT, nullable=False, server_default=""),
    C("held_by", TEXT), C("cost", INT, nullable=False, server_default="0"), C("created_at", INT, nullable=False), C("settled_at", INT),
    C("attempts", INT, nullable=False, server_default="0"),
    C("fence", INT, nullable=False, server_default="0"), C("lease_by", TEXT), C("lease_until", INT),
    C("facts", TEXT),  # resolved facts of this rendering, until the pass is told them
    C("team", TEXT), C("task_kind", TEXT), C("task_due", INT), C("place", TEXT), C("template", TEXT),
    sa.CheckConstraint(_one_of("send_state", *SEND_STATES), name="send_state"),
    sa.CheckConstraint("(send_state IN ('claimed','sending')) = (lease_by IS NOT NULL)", name="lease"),
    sa.CheckConstraint("send_state NOT IN ('skipped','rejected') OR reason IS NOT NULL", name="reason"),
    sa.Index("touch_due", "priority", "due_at", "id", sqlite_where=sa.text(WAITING), postgresql_where=sa.text(WAITING)),
    sa.Index("touch_open", "lease_until", sqlite_where=sa.text(LEASED), postgresql_where=sa.text(LEASED)),
    sa.Index("touch_doubt", "due_at", sqlite_where=sa.text("send_state IN ('unknown','parked')"),
             postgresql_where=sa.text("send_state IN ('unknown','parked')")),
    # whom WhatsApp messages went to lately (rules.md WA-03): no other channel pays for it
    sa.Index("touch_whatsapp", "settled_at", sqlite_where=sa.text(WHATSAPP), postgresql_where=sa.text(WHATSAPP)),
    sa.Index("ix_touch_enrollment_id", "enrollment_id", "step"), sa.Index("ix_touch_contact_id", "contact_id", "settled_at"),
    # what a budget counts: summed from the index alone
    sa.Index("ix_touch_spent", "version_id", "cost", sqlite_where=sa.text(SPENT), postgresql_where=sa.text(SPENT)),
)  # fmt: skip
handover = _table(
    "handover",
    C("id", ID, primary_key=True), C("provider", TEXT, nullable=False), C("account", TEXT, nullable=False), C("size", INT, nullable=False),
    C("started_at", INT, nullable=False), C("ended_at", INT), C("http_status", INT), C("provider_ref", TEXT), C("outcome", TEXT, nullable=False),
)  # fmt: skip
attempt = _table(
    "attempt",
    C("touch_id", INT, _fk("touch.id"), primary_key=True), C("n", INT, primary_key=True),
    C("handover_id", INT, _fk("handover.id"), nullable=False), C("fence", INT, nullable=False), C("outcome", TEXT, nullable=False),
    C("provider_ref", TEXT), C("address_hash", BLOB, nullable=False), C("body_sha256", BLOB, nullable=False), C("started_at", INT, nullable=False),
    C("code", TEXT), C("detail", TEXT), C("waived_by", TEXT),
    C("free", INT, nullable=False, server_default="0"),  # 1: it used up none of the touch's tries (docs/delivery 5)
    sa.CheckConstraint(_one_of("outcome", "intent", "accepted", "rejected", "not_sent", "unknown", "waived"), name="outcome"),
    sa.CheckConstraint("outcome <> 'accepted' OR provider_ref IS NOT NULL", name="accepted_ref"),
    sa.CheckConstraint("outcome <> 'waived' OR waived_by IS NOT NULL", name="waived_by"),
    sa.Index("one_open_attempt", "touch_id", unique=guards.on("one_open_attempt"), sqlite_where=sa.text(OPEN),
             postgresql_where=sa.text(OPEN)),
    sa.Index("ix_attempt_handover_id", "handover_id"),
    without_rowid=True,
)  # fmt: skip
evidence = _table(
    "evidence",
    C("id", ID, primary_key=True), C("touch_id", INT, _fk("touch.id"), nullable=False), C("n", INT, nullable=False),
    C("source", TEXT, nullable=False), C("kind", TEXT, nullable=False), C("at", INT, nullable=False), C("detail", TEXT),
    sa.Index("ix_evidence_touch_id", "touch_id"),
)  # fmt: skip
#: One account of a provider as all workers see it (docs/delivery 10): its breaker, its rate, its working batch, its minute.
account = _table(
    "account",
    C("provider", TEXT, primary_key=True), C("account", TEXT, primary_key=True),
    C("state", TEXT, nullable=False, server_default="closed"), C("why", TEXT), C("opened_at", INT), C("probe_at", INT),
    C("wait", INT, nullable=False, server_default="0"),       # ms until the next probe; doubles to 15 min
    C("needs_person", INT, nullable=False, server_default="0"),  # 401, 403: until `omni doctor --provider` succeeds
    C("not_sent", INT, nullable=False, server_default="0"), C("doubtful", INT, nullable=False, server_default="0"),  # in a row
    C("batch", INT), C("free_at", INT, nullable=False, server_default="0"),  # slow start; when the rate has room again
    C("minute", INT, nullable=False, server_default="0"), C("calls", INT, nullable=False, server_default="0"),
    C("retries", INT, nullable=False, server_default="0"),
    sa.CheckConstraint("state IN ('closed','open','half')", name="state"),
    without_rowid=True,
)  # fmt: skip
touch_move = _table("touch_move", C("old", TEXT, primary_key=True), C("new", TEXT, primary_key=True), without_rowid=True)
cap_slot = _table(
    "cap_slot",
    C("contact_id", INT, _fk("contact.id"), primary_key=True), C("local_date", TEXT, primary_key=True), C("rule", TEXT, primary_key=True),
    C("slot", INT, primary_key=True), C("touch_id", INT, _fk("touch.id"), nullable=False), C("at", INT, nullable=False),
    sa.CheckConstraint("slot BETWEEN 1 AND 100", name="slot"),
    sa.Index("ix_cap_slot_touch_id", "touch_id"),
    without_rowid=True,
)  # fmt: skip
occurrence = _table(
    "occurrence",
    C("campaign", TEXT, primary_key=True), C("schedule", TEXT, primary_key=True), C("local_date", TEXT, primary_key=True),
    C("local_slot", TEXT, primary_key=True), C("at", INT, nullable=False), C("done_at", INT),
    without_rowid=True,
)  # fmt: skip
#: Finished skeletons, once each, and the values of each touch: together the exact message again.
skeleton = _table(
    "skeleton",
    C("id", ID, primary_key=True), C("hash", TEXT, nullable=False, unique=True), C("channel", TEXT, nullable=False),
    C("parts", BLOB, nullable=False), C("template", TEXT), C("created_at", INT, nullable=False),
)  # fmt: skip
rendering = _table(
    "rendering",
    C("touch_id", INT, _fk("touch.id"), primary_key=True), C("skeleton_id", INT, _fk("skeleton.id"), nullable=False),
    C("values", BLOB, nullable=False),
    sa.Index("ix_rendering_skeleton_id", "skeleton_id"),
)  # fmt: skip

# --- work for people ------------------------------------------------------------------------------------------------
task = _table(
    "task",
    C("id", ID, primary_key=True), C("touch_id", INT, _fk("touch.id"), nullable=False, unique=True), C("team", TEXT), C("kind", TEXT),
    C("due_at", INT), C("state", TEXT, nullable=False), C("claimed_by", TEXT), C("claimed_at", INT), C("outcome", TEXT), C("note", TEXT), C("done_at", INT),
    C("next_at", INT),
)  # fmt: skip
case = _table(
    "inbox_case",
    C("id", ID, primary_key=True), C("contact_id", INT, _fk("contact.id"), nullable=False), C("kind", TEXT, nullable=False),
    C("opened_at", INT, nullable=False), C("first_due", INT), C("resolve_due", INT), C("team", TEXT), C("state", TEXT, nullable=False),
    C("claimed_by", TEXT), C("closed_at", INT), C("outcome", TEXT), C("channel", TEXT), C("text", TEXT),
    sa.Index("ix_inbox_case_contact_id", "contact_id"),
)  # fmt: skip
