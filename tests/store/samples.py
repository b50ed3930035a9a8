"""Values as the engine makes them, and a plain sqlite3 connection as a stranger has it."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.dialects import sqlite

from station.errors import Nak
from station.model import (
    AttemptClosed,
    AttemptOpened,
    EvidenceRef,
    Failure,
    FileRef,
    Identifier,
    IdKind,
    ImageSent,
    Measurement,
    Mode,
    Operator,
    Outcome,
    PackageRef,
    RecipeRef,
    Role,
    StationEvent,
    StepOutcome,
    StepRecord,
    Unit,
    VerifyKind,
)
from station.seal.keys import PrivateKey
from station.store import schema
from station.store.batch import batch_of
from station.store.database import sqlite_path, writer_engine
from station.store.facts import Facts
from station.store.ids import new_id
from station.store.writer import Store, open_store

IMEI = "864266050000011"
SERIAL = "MPA23HB12000001"
CHIP = "1f0a2b3c"
BEFORE = "EC25EFAR06A04M4G_01.001.01.001"
AFTER = "EC25EFAR06A06M4G_01.002.01.002"
UNIT = Unit(
    imei=IMEI,
    serial=SERIAL,
    model="EC25",
    sku="EC25EFA",
    sku_source="module",
    firmware=BEFORE,
    functionality=1,
)
READ_BY_AT = (Identifier(IdKind.IMEI, IMEI, "at"), Identifier(IdKind.SERIAL, SERIAL, "at"))
READ_BY_SAHARA = Identifier(IdKind.CHIP, CHIP, "sahara")
RECIPE = RecipeRef("ec25-efa", 3, "aa" * 32, "name: ec25-efa\n")
PACKAGE = PackageRef("EC25EFAR06A06M4G", "bb" * 32, (FileRef("update/boot.mbn", "cc" * 32, 4096),))
EVIDENCE = EvidenceRef("transcript", "ff" * 32, 2048, 512)
MEASURED = (
    Measurement("power_cycles", 0, "1", None, 1),
    Measurement("write_rate", 4_240_000, "B/s", 1_000_000),
)
NOON_US = 1_790_000_000_123_456
IDENTIFY = StepRecord(1, "identify", StepOutcome.OK, 1_500_000)
PROGRAM = StepRecord(
    2, "program", StepOutcome.OK, 6_250_000, 1, 26_500_000, {"bad_blocks": 0, "note": "é"}
)
BOOT = ImageSent("boot.mbn", "dd" * 32, 4096)


def attempt(**changes: Any) -> AttemptOpened:  # noqa: ANN401 - any field
    full = AttemptOpened(
        attempt_id=new_id(),
        station="line-1",
        site="graz",
        slot="A1",
        port_path="1-1.1",
        operator="worker",
        software_version="0.1.0",
        trigger="once",
        started_utc_us=NOON_US,
        unit=UNIT,
        identifiers=READ_BY_AT,
        recipe=RECIPE,
        package=PACKAGE,
        plan_sha256="ee" * 32,
        plan_json='{"erase": []}',
    )
    return replace(full, **changes)


def verdict(opened: AttemptOpened, **changes: Any) -> AttemptClosed:  # noqa: ANN401 - any field
    full = AttemptClosed(
        attempt_id=opened.attempt_id,
        outcome=Outcome.PASS,
        failure=None,
        ended_utc_us=opened.started_utc_us + 20_000_000,
        duration_us=20_000_001,
        verify=VerifyKind.READBACK,
        unit=replace(opened.unit, chip_serial=CHIP, firmware=AFTER),
        firmware_after=AFTER,
        final_mode=Mode.RUNTIME,
        readings={"firmware.after": AFTER, "functionality.after": "1"},
        evidence=(EVIDENCE,),
        measurements=MEASURED,
    )
    return replace(full, **changes)


def failed(opened: AttemptOpened, **changes: Any) -> AttemptClosed:  # noqa: ANN401 - any field
    failure = Failure.of(Nak("programming boot.mbn: NAK"))
    return verdict(
        opened, **{"outcome": Outcome.FAIL, "failure": failure, "firmware_after": None} | changes
    )


def event(kind: str = "hold", **changes: Any) -> StationEvent:  # noqa: ANN401 - any field
    full = StationEvent(
        event_id=new_id(),
        station="line-1",
        utc_us=NOON_US,
        kind=kind,
        actor="maria",
        peer_uid=1000,
        peer_user="worker",
        slot="A1",
        detail={"reason": "the cable is loose, é", "recipes": ["ec25-efa"], "target": None},
    )
    return replace(full, **changes)


def recorded(url: str, *events: StationEvent) -> None:
    async def work(store: Store) -> None:
        for one in events:
            await store.add_event(one)

    written(url, work)


def written(url: str, work: Callable[[Store], Awaitable[Any]]) -> Any:  # noqa: ANN401 - what the work returns
    """Run `work` with the store open."""

    async def main() -> Any:  # noqa: ANN401 - as above
        async with open_store(url, clock=lambda: NOON_US + 1) as store:
            return await work(store)

    return trio.run(main)


def begun(url: str, opened: AttemptOpened, *steps: StepRecord) -> None:
    written(url, lambda store: store.open_attempt(opened, steps))


def ended(url: str, closed: AttemptClosed) -> None:
    written(url, lambda store: store.close_attempt(closed))


def flashed(url: str, opened: AttemptOpened, closed: AttemptClosed | None = None) -> None:
    """One whole attempt as the engine records it."""

    async def work(store: Store) -> None:
        await store.open_attempt(opened, [IDENTIFY])
        await store.save(Facts(opened.attempt_id, names=[READ_BY_SAHARA]))
        facts = Facts(opened.attempt_id, [PROGRAM], [BOOT])
        await store.close_attempt(closed or verdict(opened), facts)

    written(url, work)


@contextmanager
def stranger(url: str) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection: no pragmas of ours."""
    path = sqlite_path(url)
    assert path is not None
    connection = sqlite3.connect(path)
    try:
        yield connection
    finally:
        connection.close()


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    """What somebody else's connection reads there."""
    if sqlite_path(url) is not None:
        with stranger(url) as plain:
            return plain.execute(sql).fetchall()
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]
    finally:
        engine.dispose()


def plan(url: str, query: sa.Executable) -> list[str]:
    """How SQLite would answer: the steps it takes."""
    assert isinstance(query, sa.Select)
    sql = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    return [row[-1] for row in rows(url, f"EXPLAIN QUERY PLAN {sql}")]


def person(name: str = "maria", **parts: object) -> Operator:
    """An operator whom jan registered."""
    made = Operator(
        operator_id=new_id(),
        station="line-1",
        utc_us=NOON_US,
        name=name,
        role=Role.OPERATOR,
        badge_sha256="ab" * 32,
        is_active=True,
        actor="jan",
        peer_uid=1000,
        peer_user="line",
        reason="new here",
    )
    return replace(made, **parts)  # type: ignore[arg-type]  # the names are checked by replace


def a_key() -> PrivateKey:
    """A station's key, another one each time."""
    return PrivateKey(Ed25519PrivateKey.generate())


def fill(url: str, attempt_id: str, unit_id: str) -> None:
    """A row in each table that has none: values as its columns take them, references to this
    attempt, this unit and the other rows."""
    keys = {"attempt_opened": attempt_id, "unit": unit_id}
    engine = writer_engine(url)
    try:
        with batch_of(engine) as batch:
            for table in schema.metadata.sorted_tables:
                if table in (schema.chain, schema.checkpoint):
                    continue
                if batch.connection.execute(sa.select(table).limit(1)).first() is None:
                    row = {c.name: _some(c, keys) for c in table.c if c.name != "seq"}
                    keys[table.name] = str(row.get("id"))
                    batch.insert(table, [row])
    finally:
        engine.dispose()


def _some(column: sa.Column[Any], keys: dict[str, str]) -> str | int:
    if column.name == "station":
        return "line-1"
    for reference in column.foreign_keys:
        return keys[reference.column.table.name]
    if isinstance(column.type, sa.Boolean):
        return True
    if isinstance(column.type, sa.Integer):
        return 1
    return new_id() if column.name == "id" else "0" * 64
