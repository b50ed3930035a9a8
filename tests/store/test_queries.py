"""Audit: what happened to this unit, what got this firmware."""

import threading
from dataclasses import replace

import pytest
import trio

from station.errors import DatabaseError
from station.model import Identifier, IdKind, Outcome, Unit
from station.store import queries, records
from station.store.database import reader_engine
from station.store.facts import Facts
from station.store.queries import find_attempts, unit_by_chip
from station.store.writer import Store, open_store
from tests.store.samples import (
    AFTER,
    BEFORE,
    CHIP,
    IDENTIFY,
    IMEI,
    NOON_US,
    PACKAGE,
    SERIAL,
    UNIT,
    attempt,
    failed,
    flashed,
    plan,
    verdict,
    written,
)

OTHER = replace(UNIT, imei="864266050000029", serial="S2")


@pytest.fixture
def line(url: str) -> dict[str, str]:
    """Three attempts: a unit failed and passed, another unit passed in slot A2. Name -> id."""
    first = attempt()
    other = attempt(
        started_utc_us=NOON_US + 30_000_000,
        slot="A2",
        unit=replace(OTHER, firmware="RM500QGLAAR11A03M4G_01.001.01.001"),
        identifiers=(Identifier(IdKind.LABEL, "EC25EFA-label", "operator"),),
        package=replace(PACKAGE, name="RM500Q", sha256="12345678" * 8),
    )
    second = attempt(started_utc_us=NOON_US + 60_000_000)
    flashed(url, first, failed(first))
    flashed(url, second)

    async def work(store: Store) -> None:
        await store.open_attempt(other)
        await store.close_attempt(
            verdict(other, unit=replace(other.unit, chip_serial="0badcafe"), firmware_after="NEW")
        )

    written(url, work)
    return {r.attempt_id: n for r, n in ((first, "first"), (second, "second"), (other, "other"))}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, ["first", "other", "second"]),
        ({"imei": IMEI}, ["first", "second"]),
        ({"serial": SERIAL}, ["first", "second"]),
        ({"chip": CHIP}, ["first", "second"]),
        ({"chip": CHIP.upper()}, ["first", "second"]),
        ({"chip": "0badcafe"}, ["other"]),
        ({"name": IMEI}, ["first", "second"]),
        ({"name": SERIAL}, ["first", "second"]),
        ({"name": CHIP.upper()}, ["first", "second"]),
        ({"name": "0badcafe"}, ["other"]),
        ({"name": "EC25EFA-label"}, ["other"]),
        ({"name": "ec25efa-label"}, []),
        ({"name": SERIAL.lower()}, []),
        ({"name": f"{SERIAL}*"}, []),
        ({"name": IMEI, "slot": "A2"}, []),
        ({"name": "EC25EFA-label", "slot": "A2"}, ["other"]),
        ({"imei": IMEI, "chip": "0badcafe"}, []),
        ({"imei": "123456789012345"}, []),
        ({"firmware": AFTER}, ["second"]),
        ({"firmware": BEFORE}, ["first", "second"]),
        ({"firmware": "EC25EFA"}, []),
        ({"firmware": "EC25EFA*"}, ["first", "second"]),
        ({"firmware": "ec25efa*"}, []),
        ({"firmware": "NEW"}, ["other"]),
        ({"firmware": "%*"}, []),
        ({"firmware": "*"}, ["first", "other", "second"]),
        ({"package": PACKAGE.name}, ["first", "second"]),
        ({"package": PACKAGE.sha256}, ["first", "second"]),
        ({"package": "12345678"}, ["other"]),
        ({"package": "1234567"}, []),
        ({"slot": "A2"}, ["other"]),
        ({"since_utc_us": NOON_US + 30_000_000}, ["other", "second"]),
        ({"since_utc_us": NOON_US + 30_000_001}, ["second"]),
        ({"limit": 2}, ["other", "second"]),
        ({"imei": IMEI, "limit": 1}, ["second"]),
    ],
)
def test_conditions(
    url: str, line: dict[str, str], conditions: dict[str, str], expected: list[str]
) -> None:
    found = find_attempts(url, **conditions)  # type: ignore[arg-type]  # keyword by keyword above
    assert [line[record.opened.attempt_id] for record in found] == expected


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "conditions",
    [
        queries._of_unit(IdKind.IMEI, IMEI),
        queries._of_unit(IdKind.CHIP, CHIP),
        queries._with_firmware(AFTER),
        queries.of_unit_ids(queries._units_called(IMEI)),
        [*queries.of_unit_ids(["a", "b"]), queries._closed.c.outcome.is_not(None)],
        [*queries.of_unit_ids(["a", "b"]), queries._closed.c.outcome == Outcome.PASS],
        [*queries.of_unit_ids(["a", "b"]), queries._closed.c.outcome == Outcome.FAIL],
    ],
)
def test_no_table_of_attempts_is_read_whole(url: str, conditions: list[records.Condition]) -> None:
    for limit in (None, 1):
        steps = plan(url, records.newest(conditions, limit))
        assert not [step for step in steps if "SCAN" in step], steps


@pytest.mark.sqlite
def test_the_last_attempts_of_a_slot_are_found_without_sorting_them_all(url: str) -> None:
    of_slot = [queries._opened.c.station == "line-1", queries._opened.c.slot == "A1"]
    for conditions in (of_slot, of_slot[1:]):
        steps = plan(url, records.newest(conditions, 1))
        assert not [step for step in steps if "SCAN" in step or "ORDER BY" in step], steps


def test_a_unit_is_found_by_every_name_it_ever_had(url: str) -> None:
    flashed(url, attempt())
    renamed = attempt(unit=replace(UNIT, serial="NEW-SERIAL"), started_utc_us=NOON_US + 1)
    flashed(url, renamed)
    for serial in (SERIAL, "NEW-SERIAL"):
        assert len(find_attempts(url, serial=serial)) == 2


def test_a_module_in_edl_is_known_by_its_chip(url: str, line: dict[str, str]) -> None:
    assert len(line) == 3
    assert unit_by_chip(url, CHIP.upper()) == replace(UNIT, chip_serial=CHIP, firmware=AFTER)
    assert unit_by_chip(url, "0badcafe") == replace(OTHER, chip_serial="0badcafe", firmware="NEW")
    assert unit_by_chip(url, "deadbeef") is None
    assert written(url, lambda store: store.unit_by_chip(CHIP)) == unit_by_chip(url, CHIP)


def test_a_chip_committed_before_a_crash_is_known(url: str) -> None:
    opened = attempt()

    async def work(store: Store) -> None:
        await store.open_attempt(opened)
        chip = Identifier(IdKind.CHIP, CHIP, "sahara")
        await store.save(Facts(opened.attempt_id, names=[chip]))

    written(url, work)
    assert unit_by_chip(url, CHIP) == replace(UNIT, chip_serial=CHIP)
    assert len(find_attempts(url, chip=CHIP)) == 1


def test_a_chip_without_unit_is_found(url: str) -> None:
    opened = attempt(unit=Unit(), identifiers=())

    async def work(store: Store) -> None:
        await store.open_attempt(opened)
        chip = Identifier(IdKind.CHIP, CHIP, "sahara")
        await store.save(Facts(opened.attempt_id, names=[chip]))

    written(url, work)
    assert len(find_attempts(url, chip=CHIP)) == 1
    assert unit_by_chip(url, CHIP) == Unit(chip_serial=CHIP)


def test_an_unprogrammed_chip_serial_names_nobody(url: str) -> None:
    opened = attempt(unit=replace(UNIT, chip_serial="00000000"))
    flashed(url, opened, verdict(opened, unit=opened.unit))
    assert unit_by_chip(url, "00000000") is None


@pytest.mark.sqlite
def test_a_reader_cannot_write(url: str) -> None:
    with reader_engine(url).connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("INSERT INTO unit (id) VALUES ('x')")


def test_readers_do_not_wait_for_the_writer(url: str) -> None:
    """Attempts are read while others are being written; each is seen whole."""
    seen: list[int] = []
    done = threading.Event()
    trouble: list[Exception] = []

    def read() -> None:
        try:
            while not done.is_set():
                records = find_attempts(url)
                seen.append(len(records))
                assert all(len(record.steps) == 1 for record in records)
        except (DatabaseError, AssertionError) as error:
            trouble.append(error)

    async def write() -> None:
        async with open_store(url) as store:
            for _ in range(50):
                await store.open_attempt(attempt(), [IDENTIFY])

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    trio.run(write)
    done.set()
    for reader in readers:
        reader.join(30)
    assert trouble == []
    assert seen
    assert len(find_attempts(url)) == 50
