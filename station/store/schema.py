"""The tables, for SQLite and PostgreSQL alike. Built by `migrations/` and by nothing else.

    unit <-- unit_identifier --> attempt_opened --> recipe, plan, package <-- package_file
                    ^   ^   ^   ^   ^   ^     |
       attempt_closed step reading image_sent `---> station_boot, shift_started, campaign
                      measurement  evidence

    unit <-- clash, unit_event, campaign_slot        shift_started <-- shift_ended
    campaign <-- campaign_slot, campaign_event       operator   lot   slot_state
    station_event    chain    checkpoint

Every row is written once: triggers refuse UPDATE, DELETE and, on SQLite, any INSERT over an
existing key (`INSERT OR REPLACE` deletes without firing the delete trigger unless the
connection asks for it). All tables are WITHOUT ROWID, so there is no hidden key to replace by.
Times and durations are integers in microseconds, times in UTC. Enums are stored by value.
The view `attempt` joins the two halves of an attempt for people with an SQL prompt.

`seq` is the number of the link of its station's `chain` that seals a row (`station.store.batch`).
Rows that belong to no attempt name the station themselves: the one that wrote them.
"""

from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from station.model import IdKind, Mode, Outcome, StepOutcome, VerifyKind

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def words(text: str) -> str:
    """Text as every database takes it: NUL and lone surrogates become U+FFFD."""
    return (
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    )


class Words(TypeDecorator[str]):
    """Text that a module may have had a hand in; stored as `words` has it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else words(value)


def _enum(enum: type[Enum], name: str, *, closed: bool) -> sa.Enum:
    """`closed`: the values are final and the database checks them; families add to the others."""
    return sa.Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=closed,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


_Key = sa.String(36)
_Sha256 = sa.String(64)


def _table(name: str, *parts: Any) -> sa.Table:  # noqa: ANN401 - columns and constraints share no public base
    return sa.Table(name, metadata, *parts, sqlite_with_rowid=False)


def _attempt_id(*, primary_key: bool = True, index: bool = False) -> sa.Column[str]:
    return sa.Column(
        "attempt_id",
        _Key,
        sa.ForeignKey("attempt_opened.id"),
        primary_key=primary_key,
        nullable=False,
        index=index,
    )


def _seq() -> sa.Column[int]:
    """Empty only until the transaction that brings the chain to an old record has filled it."""
    return sa.Column("seq", sa.BigInteger)


def _sealed_by() -> list[sa.Column[Any]]:
    return [sa.Column("station", Words), _seq()]


def _dated() -> list[sa.Column[Any]]:
    """A row of a station, with a key of its own and its time."""
    return [
        sa.Column("id", _Key, primary_key=True),
        sa.Column("station", Words, nullable=False),
        sa.Column("utc_us", sa.BigInteger, nullable=False),
    ]


def _peer() -> list[sa.Column[Any]]:
    """The user at the socket's other end, or of the command."""
    return [sa.Column("peer_uid", sa.BigInteger), sa.Column("peer_user", Words)]


def _to(
    name: str, key: str, *, nullable: bool = False, index: bool = False, primary_key: bool = False
) -> sa.Column[str]:
    reference = sa.ForeignKey(key)
    return sa.Column(
        name, _Key, reference, nullable=nullable, index=index or None, primary_key=primary_key
    )


def _unit_columns() -> list[sa.Column[Any]]:
    """What is known of the unit, the same before and after."""
    return [
        sa.Column("unit_id", _Key, sa.ForeignKey("unit.id")),
        *(
            sa.Column(name, Words)
            for name in ("imei", "serial", "model", "sku", "sku_source", "chip_serial")
        ),
        sa.Column("functionality", sa.Integer),
    ]


# --- what is flashed --------------------------------------------------------------------------

recipe = _table(
    "recipe",
    sa.Column("sha256", _Sha256, primary_key=True),
    sa.Column("name", Words, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("text", Words, nullable=False),
    *_sealed_by(),
)

plan = _table(
    "plan",
    sa.Column("sha256", _Sha256, primary_key=True),
    sa.Column("json", Words, nullable=False),
    *_sealed_by(),
)

package = _table(
    "package",
    sa.Column("sha256", _Sha256, primary_key=True),
    sa.Column("name", Words, nullable=False),
    *_sealed_by(),
)
"""`name` is the first one; the name at the time is `attempt_opened.package_name`."""

package_file = _table(
    "package_file",
    sa.Column("package_sha256", _Sha256, sa.ForeignKey("package.sha256"), primary_key=True),
    sa.Column("path", Words, primary_key=True),
    sa.Column("sha256", _Sha256, nullable=False),
    sa.Column("length_bytes", sa.BigInteger, nullable=False),
    *_sealed_by(),
)

# --- units ------------------------------------------------------------------------------------

unit = _table("unit", sa.Column("id", _Key, primary_key=True), *_sealed_by())

unit_identifier = _table(
    "unit_identifier",
    sa.Column("id", _Key, primary_key=True),
    sa.Column("unit_id", _Key, sa.ForeignKey("unit.id"), nullable=False),
    sa.Column("kind", _enum(IdKind, "kind", closed=False), nullable=False),
    sa.Column("value", Words, nullable=False),
    sa.Column("source", Words, nullable=False),
    _attempt_id(primary_key=False, index=True),
    sa.Column("seen_utc_us", sa.BigInteger, nullable=False),
    _seq(),
    sa.UniqueConstraint("unit_id", "kind", "value", "source"),
    sa.Index(None, "kind", "value"),
)
"""Every name a unit was ever seen under, and the attempt which saw it first from that source.
Two units under one name are kept: a clash is evidence."""

# --- attempts ---------------------------------------------------------------------------------

attempt_opened = _table(
    "attempt_opened",
    sa.Column("id", _Key, primary_key=True),
    sa.Column("station", Words, nullable=False),
    sa.Column("site", Words, nullable=False),
    sa.Column("slot", Words, nullable=False),
    sa.Column("port_path", Words),
    sa.Column("operator", Words, nullable=False),
    sa.Column("software_version", Words, nullable=False),
    sa.Column("trigger", Words, nullable=False),
    sa.Column("started_utc_us", sa.BigInteger, nullable=False, index=True),
    *_unit_columns(),
    sa.Column("firmware_before", Words, index=True),
    sa.Column("recipe_sha256", _Sha256, sa.ForeignKey("recipe.sha256")),
    sa.Column("package_sha256", _Sha256, sa.ForeignKey("package.sha256")),
    sa.Column("package_name", Words),
    sa.Column("plan_sha256", _Sha256, sa.ForeignKey("plan.sha256")),
    _seq(),
    _to("boot_id", "station_boot.id", nullable=True),
    _to("shift_id", "shift_started.id", nullable=True),
    _to("campaign_id", "campaign.id", nullable=True),
    sa.Column("lot", Words),
    sa.Column("purpose", Words),
    sa.Index(None, "unit_id"),
    sa.Index(None, "slot"),
    sa.Index(None, "slot", "started_utc_us"),
    sa.Index(None, "operator", "started_utc_us"),
    sa.Index(None, "package_sha256", "package_name"),
)
"""`purpose`: empty for production, else why it does not count: `golden`."""
for _name in ("shift_id", "campaign_id", "lot"):
    sa.Index(
        f"ix_attempt_opened_{_name}",
        attempt_opened.c[_name],
        sqlite_where=sa.text(f"{_name} IS NOT NULL"),
        postgresql_where=sa.text(f"{_name} IS NOT NULL"),
    )

_GOOD = "outcome IN ('PASS', 'NO_CHANGE')"

attempt_closed = _table(
    "attempt_closed",
    _attempt_id(),
    sa.Column("outcome", _enum(Outcome, "outcome", closed=True), nullable=False),
    sa.Column("failure_code", sa.String(8)),
    sa.Column("failure_headline", Words),
    sa.Column("failure_cause", Words),
    sa.Column("failure_remedy", Words),
    sa.Column("retryable", sa.Boolean),
    sa.Column("ended_utc_us", sa.BigInteger, nullable=False),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sa.Column("verify", _enum(VerifyKind, "verify", closed=False), nullable=False),
    *_unit_columns(),
    sa.Column("firmware_after", Words, index=True),
    sa.Column("final_mode", _enum(Mode, "final_mode", closed=False), nullable=False),
    _seq(),
    sa.Index(None, "unit_id", "outcome"),
    sa.CheckConstraint(f"(failure_code IS NULL) = ({_GOOD})", name="failure_unless_good"),
    sa.CheckConstraint(
        "(failure_code IS NULL) = (failure_headline IS NULL)"
        " AND (failure_code IS NULL) = (failure_cause IS NULL)"
        " AND (failure_code IS NULL) = (failure_remedy IS NULL)"
        " AND (failure_code IS NULL) = (retryable IS NULL)",
        name="failure_whole",
    ),
)
sa.Index(
    "ix_attempt_closed_outcome_not_pass",
    attempt_closed.c.outcome,
    sqlite_where=sa.text("outcome <> 'PASS'"),
    postgresql_where=sa.text("outcome <> 'PASS'"),
)
sa.Index(
    "ix_attempt_closed_failure_code",
    attempt_closed.c.failure_code,
    sqlite_where=sa.text("failure_code IS NOT NULL"),
    postgresql_where=sa.text("failure_code IS NOT NULL"),
)

reading = _table(
    "reading",
    _attempt_id(),
    sa.Column("name", Words, primary_key=True),
    sa.Column("value", Words, nullable=False),
    _seq(),
)
"""Facts read from the module by name, e.g. `firmware.after`; families add names, not columns."""

step = _table(
    "step",
    _attempt_id(),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("name", Words, nullable=False),
    sa.Column("outcome", _enum(StepOutcome, "outcome", closed=True), nullable=False),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sa.Column("retries", sa.Integer, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("detail", Words, nullable=False),
    _seq(),
)

image_sent = _table(
    "image_sent",
    _attempt_id(),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("name", Words, nullable=False),
    sa.Column("sha256_sent", _Sha256, nullable=False),
    sa.Column("length_bytes", sa.BigInteger, nullable=False),
    _seq(),
)

evidence = _table(
    "evidence",
    _attempt_id(),
    sa.Column("kind", Words, primary_key=True),
    sa.Column("sha256", _Sha256, nullable=False),
    sa.Column("length_bytes", sa.BigInteger, nullable=False),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False),
    _seq(),
)
"""Files kept beside the database, by the digest of their bytes; `kind`: `transcript`, `efs2`."""

measurement = _table(
    "measurement",
    _attempt_id(),
    sa.Column("name", Words, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Column("unit", Words, nullable=False),
    sa.Column("lowest", sa.BigInteger),
    sa.Column("highest", sa.BigInteger),
    _seq(),
)
"""What was measured of an attempt, as whole numbers of `unit`; the bounds it was held against, if
there are any."""

# --- what is known against a unit -------------------------------------------------------------

clash = _table(
    "clash",
    *_dated(),
    _to("attempt_id", "attempt_opened.id", index=True),
    sa.Column("kind", Words, nullable=False),
    sa.Column("value", Words, nullable=False),
    _to("unit_id", "unit.id", nullable=True, index=True),
    _to("other_unit_id", "unit.id", nullable=True, index=True),
    sa.Column("detail", Words, nullable=False),
    _seq(),
)
"""A name that cannot be right, or that another unit goes by; `kind` as in `station.model`."""

unit_event = _table(
    "unit_event",
    *_dated(),
    _to("unit_id", "unit.id", index=True),
    sa.Column("kind", Words, nullable=False),
    _to("attempt_id", "attempt_opened.id", nullable=True),
    sa.Column("actor", Words),
    sa.Column("role", Words),
    *_peer(),
    sa.Column("reason", Words, nullable=False),
    _seq(),
)
"""What was decided about a unit: `quarantined`, `released`. The last one counts."""

# --- who and where ----------------------------------------------------------------------------

station_boot = _table(
    "station_boot",
    *_dated(),
    sa.Column("software_version", Words, nullable=False),
    sa.Column("lock_sha256", _Sha256),
    sa.Column("python", Words, nullable=False),
    sa.Column("kernel", Words, nullable=False),
    sa.Column("libusb", Words),
    sa.Column("slot_map", Words, nullable=False),
    _seq(),
    sa.Index(None, "station", "utc_us"),
)
"""Each start of an engine. `lock_sha256`: of the list of its libraries; `slot_map` is JSON."""

operator = _table(
    "operator",
    *_dated(),
    sa.Column("name", Words, nullable=False),
    sa.Column("role", Words, nullable=False),
    sa.Column("badge_sha256", _Sha256),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("actor", Words),
    *_peer(),
    sa.Column("reason", Words, nullable=False),
    _seq(),
    sa.Index(None, "station", "name"),
)
"""Who may do what: the last row of a name counts."""

shift_started = _table(
    "shift_started",
    *_dated(),
    sa.Column("operator", Words, nullable=False),
    sa.Column("role", Words),
    *_peer(),
    _seq(),
    sa.Index(None, "station", "utc_us"),
)

shift_ended = _table(
    "shift_ended",
    _to("shift_id", "shift_started.id", primary_key=True),
    sa.Column("station", Words, nullable=False),
    sa.Column("utc_us", sa.BigInteger, nullable=False),
    sa.Column("reason", Words, nullable=False),
    _seq(),
)

lot = _table(
    "lot",
    *_dated(),
    sa.Column("name", Words, nullable=False),
    sa.Column("operator", Words, nullable=False),
    _seq(),
    sa.Index(None, "station", "name"),
)
"""What a customer ordered: written when it is armed for the first time."""

slot_state = _table(
    "slot_state",
    *_dated(),
    sa.Column("slot", Words, nullable=False),
    sa.Column("state", Words, nullable=False),
    _seq(),
    sa.Index(None, "station", "slot", "utc_us"),
)
"""Each slot's states over time: a row where it changed."""

# --- campaigns --------------------------------------------------------------------------------

campaign = _table(
    "campaign",
    *_dated(),
    sa.Column("name", Words, nullable=False),
    sa.Column("policy_sha256", _Sha256, nullable=False),
    sa.Column("policy", Words, nullable=False),
    sa.Column("actor", Words),
    *_peer(),
    _seq(),
    sa.Index(None, "station", "utc_us"),
)
"""`policy`: the text of its file."""

campaign_slot = _table(
    "campaign_slot",
    _to("campaign_id", "campaign.id", primary_key=True),
    sa.Column("slot", Words, primary_key=True),
    sa.Column("station", Words, nullable=False),
    sa.Column("utc_us", sa.BigInteger, nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("decision", Words, nullable=False),
    sa.Column("reason", Words, nullable=False),
    _to("unit_id", "unit.id", nullable=True),
    sa.Column("detail", Words, nullable=False),
    _seq(),
)
"""What was decided about the module in each slot of the rack, before it was touched; `detail` is
JSON."""

campaign_event = _table(
    "campaign_event",
    *_dated(),
    _to("campaign_id", "campaign.id", index=True),
    sa.Column("kind", Words, nullable=False),
    sa.Column("detail", Words, nullable=False),
    _seq(),
)
"""`started`, `resumed`, `stopped`, `ended`; `detail` is JSON."""

# --- the line ---------------------------------------------------------------------------------

station_event = _table(
    "station_event",
    sa.Column("id", _Key, primary_key=True),
    sa.Column("station", Words, nullable=False),
    sa.Column("utc_us", sa.BigInteger, nullable=False, index=True),
    sa.Column("kind", Words, nullable=False),
    sa.Column("actor", Words),
    sa.Column("peer_uid", sa.BigInteger),
    sa.Column("peer_user", Words),
    sa.Column("slot", Words),
    sa.Column("detail", Words, nullable=False),
    _seq(),
    sa.Column("role", Words),
    sa.Index(None, "station", "kind", "utc_us"),
)
"""What people did to the line, and when the engine began and ended; `detail` is JSON."""

# --- tamper evidence --------------------------------------------------------------------------

chain = _table(
    "chain",
    sa.Column("station", Words, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("row_digests", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
"""One link for each transaction that wrote rows; see `station.seal.chain`."""

checkpoint = _table(
    "checkpoint",
    sa.Column("station", Words, primary_key=True),
    sa.Column("chain_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("chain_hash", sa.String(64), nullable=False),
    sa.Column("utc_us", sa.BigInteger, nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Column("public_key", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(128), nullable=False),
    _seq(),
)
"""What the station has signed: its chain up to that link. In hex digits."""
