"""The chain over every row, and what the station has signed of it; old rows are sealed as found.

Revises: 0003
"""

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from station.seal import chain

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAMING_STATION = ("recipe", "plan", "package", "package_file", "unit")
"""They belong to no attempt, so they are told who wrote them."""

PARTS = ("unit_identifier", "attempt_closed", "reading", "step", "image_sent", "evidence")
SEALED = (*NAMING_STATION, "attempt_opened", *PARTS, "station_event")

NEW: dict[str, tuple[str, ...]] = {
    "chain": ("station", "seq"),
    "checkpoint": ("station", "chain_seq"),
}
"""Their keys."""


def upgrade() -> None:
    _create_tables()
    for table in SEALED:
        if table in NAMING_STATION:
            op.add_column(table, sa.Column("station", sa.Text))
        op.add_column(table, sa.Column("seq", sa.BigInteger))
    is_postgresql = op.get_context().dialect.name == "postgresql"
    for table, key in NEW.items():
        _guard_postgresql(table) if is_postgresql else _guard_sqlite(table, key)
    for table in SEALED:
        _allow_update(table, is_postgresql=is_postgresql)
    if not op.get_context().as_sql:
        _seal_what_is_there(op.get_bind())
    for table in SEALED:
        _refuse_update(table, is_postgresql=is_postgresql)


def downgrade() -> None:
    raise NotImplementedError("records are never taken back; restore the backup instead")


def _create_tables() -> None:
    op.create_table(
        "chain",
        sa.Column("station", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("row_digests", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("station", "seq", name="pk_chain"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoint",
        sa.Column("station", sa.Text, nullable=False),
        sa.Column("chain_seq", sa.BigInteger, nullable=False),
        sa.Column("chain_hash", sa.String(64), nullable=False),
        sa.Column("utc_us", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.Column("seq", sa.BigInteger),
        sa.PrimaryKeyConstraint("station", "chain_seq", name="pk_checkpoint"),
        sqlite_with_rowid=False,
    )


# --- rows of earlier revisions ----------------------------------------------------------------


def _seal_what_is_there(connection: sa.Connection) -> None:
    """A link for each attempt with what came with it, one for each event: in the order of their
    keys, which is that of time."""
    if not any(connection.scalar(sa.text(f"SELECT 1 FROM {t} LIMIT 1")) for t in SEALED):  # noqa: S608 - constants
        return
    tables = {name: sa.Table(name, sa.MetaData(), autoload_with=connection) for name in SEALED}
    chains = _Chains(connection, tables)
    opened = tables["attempt_opened"]
    attempts = sa.select(opened.c.id, opened.c.station).order_by(opened.c.id)
    for key, station in connection.execute(attempts).all():
        chains.add(station, _of_attempt(connection, tables, key, station))
    event = tables["station_event"]
    events = sa.select(event.c.id, event.c.station).order_by(event.c.id)
    for key, station in connection.execute(events).all():
        chains.add(station, [("station_event", event.c.id == key, {})])
    _seal_orphans(chains)


Sealed = tuple[str, Any, dict[str, str]]
"""Table, which of its rows, and what is filled in besides the number."""


def _of_attempt(
    connection: sa.Connection, tables: dict[str, sa.Table], key: str, station: str
) -> Iterator[Sealed]:
    opened, names = tables["attempt_opened"], tables["unit_identifier"]
    row = connection.execute(sa.select(opened).where(opened.c.id == key)).mappings().one()
    yield "attempt_opened", opened.c.id == key, {}
    for table in PARTS:
        yield table, tables[table].c.attempt_id == key, {}
    theirs = {"station": station}
    for table, column in (
        ("recipe", "recipe_sha256"),
        ("plan", "plan_sha256"),
        ("package", "package_sha256"),
    ):
        yield table, tables[table].c.sha256 == row[column], theirs
    files = tables["package_file"]
    yield "package_file", files.c.package_sha256 == row["package_sha256"], theirs
    unit = tables["unit"]
    named = sa.select(names.c.unit_id).where(names.c.attempt_id == key)
    yield "unit", sa.or_(unit.c.id == row["unit_id"], unit.c.id.in_(named)), theirs


def _seal_orphans(chains: "_Chains") -> None:
    """What no attempt refers to: of nobody, so of the first station there is."""
    station = chains.first()
    if station is not None:
        left = [(name, sa.true(), {"station": station}) for name in NAMING_STATION]
        chains.add(station, left)


class _Chains:
    def __init__(self, connection: sa.Connection, tables: dict[str, sa.Table]) -> None:
        self._connection = connection
        self._tables = tables
        self._heads: dict[str, tuple[int, bytes]] = {}

    def first(self) -> str | None:
        return next(iter(self._heads), None)

    def add(self, station: str, wanted: Iterable[Sealed]) -> None:
        """One link over those rows which no link has yet."""
        seq, previous = self._heads.get(station, (0, chain.START))
        seq += 1
        digests = [d for name, which, more in wanted for d in self._seal(name, which, more, seq)]
        if not digests:
            return
        made = chain.link(previous, station, seq, digests)
        self._connection.execute(
            sa.text("INSERT INTO chain VALUES (:station, :seq, :row_digests, :hash)"),
            {"station": station, "seq": seq, "row_digests": chain.shorts(digests), "hash": made},
        )
        self._heads[station] = (seq, made)

    def _seal(self, name: str, which: Any, more: dict[str, str], seq: int) -> list[bytes]:  # noqa: ANN401 - an SQL condition
        table = self._tables[name]
        mine = sa.and_(which, table.c.seq.is_(None))
        rows = self._connection.execute(sa.select(table).where(mine)).mappings().all()
        if rows:
            self._connection.execute(sa.update(table).where(mine).values(seq=seq, **more))
        return [chain.row_digest(name, {**row, **more, "seq": seq}) for row in rows]


# --- insert-only, as in revision 0001 ---------------------------------------------------------


def _guard_sqlite(table: str, key: tuple[str, ...]) -> None:
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    taken = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - constants
    for name, event in (
        ("no_update", f"UPDATE ON {table}"),
        ("no_delete", f"DELETE ON {table}"),
        ("no_replace", f"INSERT ON {table} WHEN {taken}"),
    ):
        _refuse(table, name, event)


def _refuse(table: str, name: str, event: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_{name} BEFORE {event} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
    )


def _guard_postgresql(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _allow_update(table: str, *, is_postgresql: bool) -> None:
    if is_postgresql:
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_insert_only")
    else:
        op.execute(f"DROP TRIGGER {table}_no_update")


def _refuse_update(table: str, *, is_postgresql: bool) -> None:
    if is_postgresql:
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_insert_only")
    else:
        _refuse(table, "no_update", f"UPDATE ON {table}")
