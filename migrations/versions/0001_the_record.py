"""The record: units, what is flashed, attempts; insert-only.

Revises:
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "recipe": (("sha256",),),
    "plan": (("sha256",),),
    "package": (("sha256",),),
    "package_file": (("package_sha256", "path"),),
    "unit": (("id",),),
    "unit_identifier": (("id",), ("unit_id", "kind", "value", "source")),
    "attempt_opened": (("id",),),
    "attempt_closed": (("attempt_id",),),
    "reading": (("attempt_id", "name"),),
    "step": (("attempt_id", "ordinal"),),
    "image_sent": (("attempt_id", "ordinal"),),
}
"""Every key by which an INSERT could replace a row, by table."""

VIEW = """
CREATE VIEW attempt AS
SELECT o.id, o.station, o.site, o.slot, o.port_path, o.operator, o.software_version,
       o."trigger", o.started_utc_us, c.ended_utc_us, c.duration_us,
       c.outcome, c.failure_code, c.failure_headline, c.failure_cause, c.failure_remedy,
       c.retryable, c.verify, c.final_mode,
       o.unit_id, c.unit_id AS unit_id_after,
       o.imei, c.imei AS imei_after, o.serial, c.serial AS serial_after,
       o.model, o.sku, o.sku_source,
       COALESCE(c.chip_serial, o.chip_serial) AS chip_serial,
       o.firmware_before, c.firmware_after,
       o.functionality, c.functionality AS functionality_after,
       r.name AS recipe, r.revision AS recipe_revision, o.recipe_sha256,
       o.package_name AS package, o.package_sha256, o.plan_sha256
FROM attempt_opened AS o
LEFT JOIN attempt_closed AS c ON c.attempt_id = o.id
LEFT JOIN recipe AS r ON r.sha256 = o.recipe_sha256
"""


def upgrade() -> None:
    _create_contents()
    _create_units()
    _create_attempts()
    _create_parts()
    _create_indexes()
    op.execute(VIEW)
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def downgrade() -> None:
    raise NotImplementedError("records are never taken back; restore the backup instead")


# --- tables -----------------------------------------------------------------------------------


def _table(name: str, *parts: Any) -> None:  # noqa: ANN401 - columns and constraints share no public base
    op.create_table(name, *parts, sqlite_with_rowid=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _integer(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=nullable)


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _key(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(36), nullable=nullable)


def _sha256(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=nullable)


def _enum(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(16), nullable=False)


def _pk(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _fk(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


def _one_of(table: str, column: str, values: Iterable[str]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{column}"))


def _unit_columns() -> list[sa.Column[Any]]:
    names = ("imei", "serial", "model", "sku", "sku_source", "chip_serial")
    return [
        _key("unit_id", nullable=True),
        *(_text(name, nullable=True) for name in names),
        _integer("functionality", nullable=True),
    ]


def _create_contents() -> None:
    _table(
        "recipe",
        _sha256("sha256"),
        _text("name"),
        _integer("revision"),
        _text("text"),
        _pk("recipe", "sha256"),
    )
    _table("plan", _sha256("sha256"), _text("json"), _pk("plan", "sha256"))
    _table("package", _sha256("sha256"), _text("name"), _pk("package", "sha256"))
    _table(
        "package_file",
        _sha256("package_sha256"),
        _text("path"),
        _sha256("sha256"),
        _big("length_bytes"),
        _pk("package_file", "package_sha256", "path"),
        _fk("package_file", "package_sha256", "package.sha256"),
    )


def _create_units() -> None:
    _table("unit", _key("id"), _pk("unit", "id"))


def _create_attempts() -> None:
    _table(
        "attempt_opened",
        _key("id"),
        _text("station"),
        _text("site"),
        _text("slot"),
        _text("port_path", nullable=True),
        _text("operator"),
        _text("software_version"),
        _text("trigger"),
        _big("started_utc_us"),
        *_unit_columns(),
        _text("firmware_before", nullable=True),
        _sha256("recipe_sha256", nullable=True),
        _sha256("package_sha256", nullable=True),
        _text("package_name", nullable=True),
        _sha256("plan_sha256", nullable=True),
        _pk("attempt_opened", "id"),
        _fk("attempt_opened", "unit_id", "unit.id"),
        _fk("attempt_opened", "recipe_sha256", "recipe.sha256"),
        _fk("attempt_opened", "package_sha256", "package.sha256"),
        _fk("attempt_opened", "plan_sha256", "plan.sha256"),
    )
    outcomes = ("PASS", "NO_CHANGE", "FAIL", "BLOCKED", "ERROR", "ABORTED", "INTERRUPTED")
    _table(
        "attempt_closed",
        _key("attempt_id"),
        _enum("outcome"),
        sa.Column("failure_code", sa.String(8)),
        _text("failure_headline", nullable=True),
        _text("failure_cause", nullable=True),
        _text("failure_remedy", nullable=True),
        sa.Column("retryable", sa.Boolean),
        _big("ended_utc_us"),
        _big("duration_us"),
        _enum("verify"),
        *_unit_columns(),
        _text("firmware_after", nullable=True),
        _enum("final_mode"),
        _pk("attempt_closed", "attempt_id"),
        _fk("attempt_closed", "attempt_id", "attempt_opened.id"),
        _fk("attempt_closed", "unit_id", "unit.id"),
        _one_of("attempt_closed", "outcome", outcomes),
        sa.CheckConstraint(
            "(failure_code IS NULL) = (outcome IN ('PASS', 'NO_CHANGE'))",
            name=op.f("ck_attempt_closed_failure_unless_good"),
        ),
        sa.CheckConstraint(
            "(failure_code IS NULL) = (failure_headline IS NULL)"
            " AND (failure_code IS NULL) = (failure_cause IS NULL)"
            " AND (failure_code IS NULL) = (failure_remedy IS NULL)"
            " AND (failure_code IS NULL) = (retryable IS NULL)",
            name=op.f("ck_attempt_closed_failure_whole"),
        ),
    )


def _create_parts() -> None:
    _table(
        "unit_identifier",
        _key("id"),
        _key("unit_id"),
        _enum("kind"),
        _text("value"),
        _text("source"),
        _key("attempt_id"),
        _big("seen_utc_us"),
        _pk("unit_identifier", "id"),
        _fk("unit_identifier", "unit_id", "unit.id"),
        _fk("unit_identifier", "attempt_id", "attempt_opened.id"),
        sa.UniqueConstraint(
            "unit_id",
            "kind",
            "value",
            "source",
            name=op.f("uq_unit_identifier_unit_id_kind_value_source"),
        ),
    )
    _table(
        "reading",
        _key("attempt_id"),
        _text("name"),
        _text("value"),
        _pk("reading", "attempt_id", "name"),
        _fk("reading", "attempt_id", "attempt_opened.id"),
    )
    _table(
        "step",
        _key("attempt_id"),
        _integer("ordinal"),
        _text("name"),
        _enum("outcome"),
        _big("duration_us"),
        _integer("retries"),
        _big("bytes"),
        _text("detail"),
        _pk("step", "attempt_id", "ordinal"),
        _fk("step", "attempt_id", "attempt_opened.id"),
        _one_of("step", "outcome", ("OK", "FAILED", "SKIPPED")),
    )
    _table(
        "image_sent",
        _key("attempt_id"),
        _integer("ordinal"),
        _text("name"),
        _sha256("sha256_sent"),
        _big("length_bytes"),
        _pk("image_sent", "attempt_id", "ordinal"),
        _fk("image_sent", "attempt_id", "attempt_opened.id"),
    )


def _create_indexes() -> None:
    for table, *columns in (
        ("unit_identifier", "kind", "value"),
        ("unit_identifier", "attempt_id"),
        ("attempt_opened", "started_utc_us"),
        ("attempt_opened", "slot", "started_utc_us"),
        ("attempt_opened", "unit_id"),
        ("attempt_opened", "firmware_before"),
        ("attempt_opened", "package_sha256"),
        ("attempt_closed", "unit_id"),
        ("attempt_closed", "firmware_after"),
    ):
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    not_pass = sa.text("outcome <> 'PASS'")
    op.create_index(
        "ix_attempt_closed_outcome_not_pass",
        "attempt_closed",
        ["outcome"],
        sqlite_where=not_pass,
        postgresql_where=not_pass,
    )


# --- insert-only ------------------------------------------------------------------------------


def _guard_sqlite() -> None:
    """The INSERT guard is for `INSERT OR REPLACE` from connections without
    recursive_triggers: there the replaced row goes without a delete trigger."""
    for table, keys in KEYS.items():
        refuse = f"SELECT RAISE(ABORT, '{table} is insert-only')"
        taken = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} WHERE {_equals_new(key)})"  # noqa: S608 - names are KEYS
            for key in keys
        )
        for name, event in (
            ("no_update", f"UPDATE ON {table}"),
            ("no_delete", f"DELETE ON {table}"),
            ("no_replace", f"INSERT ON {table} WHEN {taken}"),
        ):
            op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} BEGIN {refuse}; END")


def _equals_new(key: tuple[str, ...]) -> str:
    return " AND ".join(f"{column} = NEW.{column}" for column in key)


def _guard_postgresql() -> None:
    """PostgreSQL has no REPLACE; ON CONFLICT DO UPDATE fires the update trigger."""
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is insert-only'; END $$"
    )
    for table in KEYS:
        op.execute(
            f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
