"""Each call is one durable transaction; trouble is a DatabaseError in words."""

import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from station.errors import DatabaseError, SchemaOutdated
from station.model import (
    AttemptRecord,
    Identifier,
    IdKind,
    ImageSent,
    Mode,
    Outcome,
    StepOutcome,
    StepRecord,
    Unit,
    VerifyKind,
)
from station.store import database
from station.store.database import sqlite_url
from station.store.facts import Facts
from station.store.ids import new_id
from station.store.queries import find_attempts
from station.store.writer import Store, open_store
from tests.store.samples import (
    BOOT,
    IDENTIFY,
    IMEI,
    NOON_US,
    PACKAGE,
    PROGRAM,
    READ_BY_AT,
    READ_BY_SAHARA,
    UNIT,
    attempt,
    begun,
    ended,
    failed,
    flashed,
    rows,
    stranger,
    verdict,
    written,
)

ROOT = Path(__file__).parents[2]


def test_keys_sort_by_time() -> None:
    keys = [new_id() for _ in range(1000)]
    assert keys == sorted(set(keys))
    assert {len(key) for key in keys} == {36}
    assert {key[14] for key in keys} == {"7"}


def test_an_attempt_comes_back_as_it_was_written(url: str) -> None:
    opened = attempt()
    closed = verdict(opened)
    flashed(url, opened, closed)
    expected = replace(opened, identifiers=(*READ_BY_AT, READ_BY_SAHARA))
    assert find_attempts(url) == [AttemptRecord(expected, closed, (IDENTIFY, PROGRAM), (BOOT,))]


def test_a_failure_comes_back_as_it_was_written(url: str) -> None:
    opened = attempt()
    closed = failed(opened, unit=replace(UNIT, firmware=None))
    flashed(url, opened, closed)
    assert find_attempts(url)[0].closed == closed


def test_steps_may_come_with_the_closing(url: str) -> None:
    opened = attempt()

    async def work(store: Store) -> None:
        await store.open_attempt(opened)
        await store.close_attempt(verdict(opened), Facts(opened.attempt_id, [IDENTIFY, PROGRAM]))

    written(url, work)
    assert find_attempts(url)[0].steps == (IDENTIFY, PROGRAM)


def test_nothing_is_stored_as_a_float(url: str) -> None:
    flashed(url, attempt())
    for table in ("attempt_opened", "attempt_closed", "step", "image_sent", "unit_identifier"):
        assert not any(
            isinstance(v, float) for row in rows(url, f"SELECT * FROM {table}") for v in row
        )


def test_content_is_stored_once(url: str) -> None:
    flashed(url, attempt())
    flashed(url, attempt(package=replace(PACKAGE, name="renamed")))
    for table in ("recipe", "plan", "package", "package_file"):
        assert rows(url, f"SELECT COUNT(*) FROM {table}") == [(1,)]
    names = [r.opened.package and r.opened.package.name for r in find_attempts(url)]
    assert names == ["EC25EFAR06A06M4G", "renamed"]


def test_text_from_a_broken_module_is_recorded_all_the_same(url: str) -> None:
    serial = "A\0B\udc80C"
    opened = attempt(
        unit=Unit(serial=serial), identifiers=(Identifier(IdKind.SERIAL, serial, "at"),)
    )
    step = StepRecord(1, "identify", StepOutcome.FAILED, 1, detail={"log": "\0\udcff"})
    for _ in range(2):
        again = replace(opened, attempt_id=new_id())
        begun(url, again, step)
    found = find_attempts(url, serial="A\ufffdB\ufffdC")
    assert [record.opened.unit.serial for record in found] == ["A\ufffdB\ufffdC"] * 2
    assert found[0].steps[0].detail == {"log": "\0\udcff"}


# --- units ------------------------------------------------------------------------------------


def _unit_ids(url: str) -> list[str | None]:
    return [row[0] for row in rows(url, "SELECT unit_id FROM attempt_opened ORDER BY id")]


def test_a_unit_keeps_its_id_by_any_of_its_names(url: str) -> None:
    flashed(url, attempt())
    for unit in (Unit(imei=IMEI), Unit(serial=UNIT.serial), Unit(chip_serial="1f0a2b3c")):
        begun(url, attempt(unit=unit, identifiers=()))
    assert len(set(_unit_ids(url))) == 1
    assert rows(url, "SELECT COUNT(*) FROM unit_identifier") == [(3,)]


def test_a_shared_serial_never_merges_two_imeis(url: str) -> None:
    flashed(url, attempt())
    flashed(url, attempt(unit=replace(UNIT, imei="864266050000029"), identifiers=()))
    assert len(set(_unit_ids(url))) == 2


def test_a_chip_first_seen_alone_gets_its_imei_later(url: str) -> None:
    in_edl = attempt(unit=Unit(), identifiers=())

    async def work(store: Store) -> None:
        await store.open_attempt(in_edl)
        await store.save(Facts(in_edl.attempt_id, names=[READ_BY_SAHARA]))
        await store.close_attempt(verdict(in_edl, unit=Unit(imei=IMEI, chip_serial="1f0a2b3c")))
        await store.open_attempt(attempt())

    written(url, work)
    before, after = _unit_ids(url)
    assert before is None
    assert rows(url, "SELECT unit_id FROM attempt_closed") == [(after,)]


@pytest.mark.parametrize(
    "names",
    [
        Unit(),
        Unit(model="EC25", sku="EC25EFA"),
        Unit(imei="000000000000000", chip_serial="00000000"),
    ],
)
def test_a_module_without_a_name_is_recorded_without_a_unit(url: str, names: Unit) -> None:
    label = Identifier(IdKind.LABEL, "EC25EFA", "operator")
    for _ in range(2):
        opened = attempt(unit=names, identifiers=(label,))
        begun(url, opened)
        ended(url, failed(opened, unit=names))
    assert _unit_ids(url) == [None, None]
    assert rows(url, "SELECT * FROM unit") == []


def test_another_module_answering_at_the_end_is_another_unit(url: str) -> None:
    """The verdict names both; the chip serial stays with the module it was read from."""
    opened = attempt()
    other = replace(UNIT, imei="864266050000029", serial="OTHER", chip_serial="1f0a2b3c")
    flashed(url, opened, failed(opened, unit=other))
    ((before, after),) = rows(url, "SELECT unit_id, unit_id_after FROM attempt")
    assert before != after
    names = rows(url, f"SELECT kind, value FROM unit_identifier WHERE unit_id = '{after}'")
    assert sorted(names) == [("imei", "864266050000029"), ("serial", "OTHER")]


# --- what a dead engine left ------------------------------------------------------------------

DIES = """
import os, signal, sys, trio
from station.store.facts import Facts
from station.store.writer import open_store
from tests.store.samples import IDENTIFY, PROGRAM, attempt
async def main():
    async with open_store(sys.argv[1]) as store:
        opened = attempt()
        await store.open_attempt(opened, [IDENTIFY])
        await store.save(Facts(opened.attempt_id, [PROGRAM]))
        os.kill(os.getpid(), signal.SIGKILL)
trio.run(main)
"""


def test_a_killed_engine_leaves_an_attempt_that_is_closed_later(url: str) -> None:
    died = subprocess.run([sys.executable, "-c", DIES, url], cwd=ROOT, check=False)
    assert died.returncode == -signal.SIGKILL
    (left,) = find_attempts(url)
    assert left.closed is None
    assert left.steps == (IDENTIFY, PROGRAM)

    assert len(written(url, lambda store: store.close_interrupted())) == 1
    assert written(url, lambda store: store.close_interrupted()) == ()
    (record,) = find_attempts(url, imei=IMEI)
    assert record.closed is not None
    assert record.closed.outcome is Outcome.INTERRUPTED
    assert record.closed.failure is not None
    assert record.closed.failure.code == "X903"
    assert record.closed.failure.outcome is Outcome.INTERRUPTED
    assert record.closed.ended_utc_us == NOON_US + 1
    assert record.closed.duration_us == IDENTIFY.duration_us + PROGRAM.duration_us
    assert record.closed.verify is VerifyKind.NONE
    assert record.closed.final_mode is Mode.UNKNOWN
    assert record.closed.unit == replace(UNIT, firmware=None)


def test_attempts_running_elsewhere_stay_open(url: str) -> None:
    async def work(store: Store) -> None:
        await store.open_attempt(attempt(station="line-1", slot="A1"))
        await store.open_attempt(attempt(station="line-1", slot="B1"))
        await store.open_attempt(attempt(station="line-2", slot="A1"))
        assert len(await store.close_interrupted(station="line-1", slots=["A1"])) == 1
        assert await store.close_interrupted(station="line-1", slots=[]) == ()

    written(url, work)
    left = [r.opened for r in find_attempts(url) if r.closed is None]
    assert [(o.station, o.slot) for o in left] == [("line-1", "B1"), ("line-2", "A1")]


# --- cancellation -----------------------------------------------------------------------------


def test_a_verdict_is_committed_even_in_a_cancelled_scope(url: str) -> None:
    opened = attempt()

    async def work(store: Store) -> None:
        await store.open_attempt(opened)
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.close_attempt(verdict(opened))

    written(url, work)
    assert find_attempts(url)[0].closed is not None


def test_a_call_cancelled_before_it_began_writes_nothing(url: str) -> None:
    async def work(store: Store) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.open_attempt(attempt())

    written(url, work)
    assert find_attempts(url) == []


def test_a_transaction_that_fails_half_way_leaves_nothing(url: str) -> None:
    with pytest.raises(DatabaseError, match=r"step is insert-only|duplicate key"):
        written(url, lambda store: store.open_attempt(attempt(), [IDENTIFY, IDENTIFY]))
    for table in ("attempt_opened", "step", "unit", "recipe"):
        assert rows(url, f"SELECT * FROM {table}") == []


def test_slots_may_write_at_once(url: str) -> None:
    async def main() -> None:
        async def slot(number: int) -> None:
            unit = replace(UNIT, imei=f"86426605000{number:04}", serial=f"S{number}")
            opened = attempt(slot=f"A{number}", unit=unit, identifiers=())
            await store.open_attempt(opened)
            facts = Facts(opened.attempt_id)
            for ordinal in range(5):
                facts.steps.append(replace(PROGRAM, ordinal=ordinal))
                await store.save(facts)
            await store.close_attempt(verdict(opened), facts)

        async with open_store(url) as store, trio.open_nursery() as nursery:
            for number in range(16):
                nursery.start_soon(slot, number)

    trio.run(main)
    found = find_attempts(url)
    assert {len(record.steps) for record in found} == {5}
    assert len(found) == 16


# --- trouble ----------------------------------------------------------------------------------


def test_the_store_does_not_open_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="station db upgrade"):
        written(sqlite_url(tmp_path / "none.db"), lambda store: store.close_interrupted())
    (tmp_path / "empty.db").touch()
    with pytest.raises(SchemaOutdated):
        written(sqlite_url(tmp_path / "empty.db"), lambda store: store.close_interrupted())


@pytest.mark.sqlite
def test_a_full_disk_is_said_in_words(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def small_disk(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)  # type: ignore[call-overload]  # handed through
        connection.execute("PRAGMA max_page_count = 1")  # means: not one page more than now
        return connection

    monkeypatch.setattr(sqlite3, "connect", small_disk)
    large = replace(PROGRAM, detail={"log": "x" * 1_000_000})
    with pytest.raises(DatabaseError, match="the disk is full"):
        written(url, lambda store: store.open_attempt(attempt(), [large]))
    monkeypatch.undo()
    assert find_attempts(url) == []
    flashed(url, attempt())


@pytest.mark.sqlite
def test_a_locked_database_is_said_in_words(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.01)
    with stranger(url) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="another program kept it locked"):
            written(url, lambda store: store.open_attempt(attempt()))


@pytest.mark.sqlite
def test_a_database_that_vanished_is_not_made_anew(url: str, tmp_path: Path) -> None:
    def vanish() -> None:
        for file in tmp_path.glob("station.db*"):
            if file.is_file():
                file.unlink()

    async def work(store: Store) -> None:
        vanish()
        await store.open_attempt(attempt())

    with pytest.raises(DatabaseError, match="its file was moved away or deleted"):
        written(url, work)
    assert not (tmp_path / "station.db").exists()


def test_a_number_too_large_is_refused_in_words(url: str) -> None:
    with pytest.raises(DatabaseError):
        written(url, lambda store: store.open_attempt(attempt(started_utc_us=2**70)))
    opened = attempt()
    written(url, lambda store: store.open_attempt(opened))
    image = ImageSent("boot", "dd" * 32, 2**70)
    with pytest.raises(DatabaseError):
        written(url, lambda store: store.save(Facts(opened.attempt_id, images=[image])))
