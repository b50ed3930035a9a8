"""Who worked when, on what boot of the station, for which lot; what slots did; what is known of
units; campaigns. Insert-only, sealed as all rows are.

Revises: 0004
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = sa.String(36)
_SHA256 = sa.String(64)


def upgrade() -> None:
    keys = _create_tables()
    _add_columns()
    _index_attempts()
    is_postgresql = op.get_context().dialect.name == "postgresql"
    for table, key in keys.items():
        _guard_postgresql(table) if is_postgresql else _guard_sqlite(table, key)


def downgrade() -> None:
    raise NotImplementedError("records are never taken back; restore the backup instead")


def _create_tables() -> dict[str, tuple[str, ...]]:
    """Their keys, by name."""
    keys: dict[str, tuple[str, ...]] = {}

    def create(table: str, *columns: sa.Column[Any], key: tuple[str, ...] = ("id",)) -> None:
        op.create_table(
            table,
            *columns,
            sa.Column("seq", sa.BigInteger),
            sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"),
            sqlite_with_rowid=False,
        )
        keys[table] = key

    create("station_boot", _id(), *_when(), *_boot())
    create("operator", _id(), *_when(), *_operator())
    create("shift_started", _id(), *_when(), *_shift())
    create(
        "shift_ended",
        _to("shift_ended", "shift_id", "shift_started.id"),
        *_when(),
        _text("reason"),
        key=("shift_id",),
    )
    create("lot", _id(), *_when(), _text("name"), _text("operator"))
    create("slot_state", _id(), *_when(), _text("slot"), _text("state"))
    create(
        "measurement",
        _to("measurement", "attempt_id", "attempt_opened.id"),
        _text("name"),
        sa.Column("value", sa.BigInteger, nullable=False),
        _text("unit"),
        sa.Column("lowest", sa.BigInteger),
        sa.Column("highest", sa.BigInteger),
        key=("attempt_id", "name"),
    )
    create("clash", _id(), *_when(), *_clash())
    create("unit_event", _id(), *_when(), *_unit_event())
    create("campaign", _id(), *_when(), *_campaign())
    create(
        "campaign_slot",
        _to("campaign_slot", "campaign_id", "campaign.id"),
        _text("slot"),
        *_when(),
        sa.Column("ordinal", sa.Integer, nullable=False),
        _text("decision"),
        _text("reason"),
        _to("campaign_slot", "unit_id", "unit.id", nullable=True),
        _text("detail"),
        key=("campaign_id", "slot"),
    )
    create(
        "campaign_event",
        _id(),
        _to("campaign_event", "campaign_id", "campaign.id"),
        *_when(),
        _text("kind"),
        _text("detail"),
    )
    for table, columns in _INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
    return keys


_INDEXES = (
    ("station_boot", ("station", "utc_us")),
    ("operator", ("station", "name")),
    ("shift_started", ("station", "utc_us")),
    ("lot", ("station", "name")),
    ("slot_state", ("station", "slot", "utc_us")),
    ("clash", ("unit_id",)),
    ("clash", ("other_unit_id",)),
    ("clash", ("attempt_id",)),
    ("unit_event", ("unit_id",)),
    ("campaign", ("station", "utc_us")),
    ("campaign_event", ("campaign_id",)),
    ("attempt_opened", ("slot",)),
)


def _id() -> sa.Column[str]:
    return sa.Column("id", _KEY, nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _to(table: str, name: str, key: str, *, nullable: bool = False) -> sa.Column[str]:
    reference = sa.ForeignKey(key, name=f"fk_{table}_{name}")
    return sa.Column(name, _KEY, reference, nullable=nullable)


def _when() -> list[sa.Column[Any]]:
    return [_text("station"), sa.Column("utc_us", sa.BigInteger, nullable=False)]


def _boot() -> list[sa.Column[Any]]:
    return [
        _text("software_version"),
        sa.Column("lock_sha256", _SHA256),
        _text("python"),
        _text("kernel"),
        _text("libusb", nullable=True),
        _text("slot_map"),
    ]


def _peer() -> list[sa.Column[Any]]:
    return [sa.Column("peer_uid", sa.BigInteger), _text("peer_user", nullable=True)]


def _operator() -> list[sa.Column[Any]]:
    return [
        _text("name"),
        _text("role"),
        sa.Column("badge_sha256", _SHA256),
        sa.Column("is_active", sa.Boolean, nullable=False),
        _text("actor", nullable=True),
        *_peer(),
        _text("reason"),
    ]


def _shift() -> list[sa.Column[Any]]:
    return [_text("operator"), _text("role", nullable=True), *_peer()]


def _clash() -> list[sa.Column[Any]]:
    return [
        _to("clash", "attempt_id", "attempt_opened.id"),
        _text("kind"),
        _text("value"),
        _to("clash", "unit_id", "unit.id", nullable=True),
        _to("clash", "other_unit_id", "unit.id", nullable=True),
        _text("detail"),
    ]


def _unit_event() -> list[sa.Column[Any]]:
    return [
        _to("unit_event", "unit_id", "unit.id"),
        _text("kind"),
        _to("unit_event", "attempt_id", "attempt_opened.id", nullable=True),
        _text("actor", nullable=True),
        _text("role", nullable=True),
        *_peer(),
        _text("reason"),
    ]


def _campaign() -> list[sa.Column[Any]]:
    return [
        _text("name"),
        sa.Column("policy_sha256", _SHA256, nullable=False),
        _text("policy"),
        _text("actor", nullable=True),
        *_peer(),
    ]


# --- attempts ---------------------------------------------------------------------------------

_OF_ATTEMPTS = (
    ("boot_id", "station_boot"),
    ("shift_id", "shift_started"),
    ("campaign_id", "campaign"),
)


def _add_columns() -> None:
    """In SQL, because SQLite adds a reference with its column or never."""
    opened = "attempt_opened"
    for name, table in _OF_ATTEMPTS:
        op.execute(
            f"ALTER TABLE {opened} ADD COLUMN {name} VARCHAR(36) "
            f"CONSTRAINT fk_{opened}_{name} REFERENCES {table} (id)"
        )
    op.execute(f"ALTER TABLE {opened} ADD COLUMN lot TEXT")
    op.execute(f"ALTER TABLE {opened} ADD COLUMN purpose TEXT")
    op.execute("ALTER TABLE station_event ADD COLUMN role TEXT")
    for name in ("shift_id", "campaign_id", "lot"):
        op.create_index(
            f"ix_{opened}_{name}",
            opened,
            [name],
            sqlite_where=sa.text(f"{name} IS NOT NULL"),
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )


def _index_attempts() -> None:
    """For the questions of an auditor: by package under its name at the time, by person, by code,
    and what came of a unit without a look at the rows."""
    for table, old, *columns in (
        ("attempt_opened", "package_sha256", "package_sha256", "package_name"),
        ("attempt_opened", None, "operator", "started_utc_us"),
        ("attempt_closed", "unit_id", "unit_id", "outcome"),
    ):
        if old:
            op.drop_index(f"ix_{table}_{old}", table)
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    op.create_index(
        "ix_attempt_closed_failure_code",
        "attempt_closed",
        ["failure_code"],
        sqlite_where=sa.text("failure_code IS NOT NULL"),
        postgresql_where=sa.text("failure_code IS NOT NULL"),
    )


# --- insert-only, as in revision 0001 ---------------------------------------------------------


def _guard_sqlite(table: str, key: tuple[str, ...]) -> None:
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    taken = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - constants
    for name, event in (
        ("no_update", f"UPDATE ON {table}"),
        ("no_delete", f"DELETE ON {table}"),
        ("no_replace", f"INSERT ON {table} WHEN {taken}"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {event} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
        )


def _guard_postgresql(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
