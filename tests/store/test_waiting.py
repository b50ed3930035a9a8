"""Results that could not be committed come into the record, once, as soon as it takes them."""

import errno
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import uuid_utils

from station.errors import DiskTrouble
from station.model import AttemptRecord, Outcome, RecipeRef
from station.store import database
from station.store.facts import Facts
from station.store.ids import new_id
from station.store.pending import Pending, Result, beside
from station.store.queries import find_attempts
from station.store.waiting import Settled, Waiting
from station.store.writer import Store
from tests.store.samples import (
    BOOT,
    IDENTIFY,
    PROGRAM,
    READ_BY_SAHARA,
    attempt,
    begun,
    flashed,
    rows,
    stranger,
    verdict,
    written,
)

LARGE = RecipeRef("large", 1, "11" * 32, "x" * 200_000)
"""More than the free pages of a database that may not grow."""


def result(**changes: object) -> Result:
    opened = attempt(**changes)
    record = AttemptRecord(opened, verdict(opened), (IDENTIFY, PROGRAM), (BOOT,))
    return Result(record, (READ_BY_SAHARA,))


def folder_of(url: str) -> Pending:
    folder = beside(url)
    assert folder is not None
    return Pending(folder)


def kept(url: str, *results: Result) -> None:
    async def work(store: Store) -> None:
        for one in results:
            await store.keep(one)

    written(url, work)


def settled(url: str) -> Settled:
    answer: Settled = written(url, lambda store: store.settle())
    return answer


def everything(url: str) -> list[tuple[object, ...]]:
    tables = [
        *("attempt_opened", "attempt_closed", "step", "image_sent", "reading", "recipe"),
        *("evidence", "unit", "unit_identifier"),
    ]
    return [row for table in tables for row in rows(url, f"SELECT * FROM {table}")]


def full(store: Store, pages: int = 1) -> None:
    """The writer's own connection may make the file no longer: SQLite's real SQLITE_FULL."""
    with store._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def refused(place: Path, missing_ok: bool = False) -> None:
    """A folder that nobody may write any more, not even root."""
    raise OSError(errno.EROFS, "Read-only file system", str(place))


def roomy(store: Store) -> None:
    full(store, pages=0x7FFF_FFFF)


@pytest.mark.sqlite
@pytest.mark.parametrize("committed", ["nothing", "opened", "steps", "all"])
def test_what_is_missing_is_added_and_what_is_there_stays(url: str, committed: str) -> None:
    waits = result()
    opened = waits.record.opened
    if committed == "opened":
        begun(url, opened, IDENTIFY)
    if committed == "steps":
        begun(url, opened, IDENTIFY, PROGRAM)
        written(url, lambda store: store.save(Facts(opened.attempt_id, images=[BOOT])))
    if committed == "all":
        flashed(url, opened, waits.record.closed)
    kept(url, waits)
    assert settled(url).recorded == (waits.record,)
    (found,) = find_attempts(url)
    assert found.closed == waits.record.closed
    assert (found.steps, found.images) == (waits.record.steps, waits.record.images)
    assert found.opened.started_utc_us == opened.started_utc_us
    assert READ_BY_SAHARA in found.opened.identifiers
    assert find_attempts(url, chip=READ_BY_SAHARA.value) == [found]
    assert folder_of(url).files() == {}


@pytest.mark.sqlite
def test_a_crash_between_commit_and_removal_costs_nothing(url: str) -> None:
    waits = result()
    kept(url, waits)
    (place,) = folder_of(url).files().values()
    data = place.read_bytes()
    settled(url)
    before = everything(url)
    place.write_bytes(data)
    assert settled(url).recorded == (waits.record,)
    assert everything(url) == before
    assert folder_of(url).files() == {}


@pytest.mark.sqlite
def test_another_truth_is_set_aside_and_the_others_are_recorded(url: str) -> None:
    first, second, third = result(), result(), result()
    opened = second.record.opened
    flashed(url, opened, verdict(opened, duration_us=1))
    kept(url, first, second, third)
    done = settled(url)
    assert done.recorded == (first.record, third.record)
    ((place, why),) = done.aside
    assert place.name.endswith(f"{opened.attempt_id}.json.damaged")
    assert "attempt_closed differs in duration_us" in why
    durations = [a.closed.duration_us for a in find_attempts(url) if a.closed is not None]
    assert durations.count(1) == 1
    assert len(durations) == 3


@pytest.mark.sqlite
def test_a_damaged_file_is_set_aside_and_the_others_are_recorded(url: str) -> None:
    first, second = result(), result()
    kept(url, first, second)
    place = folder_of(url).files()[1]
    place.write_bytes(place.read_bytes()[:100])
    done = settled(url)
    assert done.recorded == (second.record,)
    assert [moved.name for moved, _ in done.aside] == [place.name + ".damaged"]


@pytest.mark.sqlite
def test_a_row_that_no_record_takes_is_set_aside(url: str) -> None:
    whole = result()
    assert whole.record.closed is not None
    odd = replace(whole.record, closed=replace(whole.record.closed, outcome=Outcome.FAIL))
    kept(url, Result(odd))
    done = settled(url)
    assert done.recorded == ()
    assert "it refuses the row" in done.aside[0][1]
    assert find_attempts(url) == []


@pytest.mark.sqlite
def test_a_number_that_no_record_holds_keeps_nobody_waiting(url: str) -> None:
    odd, good = result(), result()
    assert odd.record.closed is not None
    closed = replace(odd.record.closed, duration_us=1 << 63)
    kept(url, Result(replace(odd.record, closed=closed)), good)
    done = settled(url)
    assert done.recorded == (good.record,)
    assert "too large" in done.aside[0][1]


@pytest.mark.sqlite
def test_a_record_that_lost_the_start_takes_the_result_all_the_same(url: str) -> None:
    waits = result(boot_id=new_id())
    kept(url, waits)
    assert settled(url).recorded == (waits.record,)
    (found,) = find_attempts(url)
    assert found.opened.boot_id is None


@pytest.mark.sqlite
def test_they_are_recorded_in_the_order_of_writing(url: str) -> None:
    """Also after a restart, and whatever their times say."""
    first, second = result(started_utc_us=2_000_000), result(started_utc_us=1_000_000)
    kept(url, first)
    kept(url, second)
    assert settled(url).recorded == (first.record, second.record)


@pytest.mark.sqlite
def test_a_locked_database_keeps_them_waiting(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.01)
    waits = result()
    kept(url, waits)

    async def work(store: Store) -> None:
        with stranger(url) as somebody:
            somebody.execute("BEGIN EXCLUSIVE")
            assert (await store.settle()).recorded == ()
            assert store.waiting.count == 1
            assert "another program kept it locked" in store.waiting.why
            somebody.rollback()
        assert (await store.settle()).recorded == (waits.record,)
        assert store.waiting.count == 0

    written(url, work)


@pytest.mark.sqlite
def test_a_full_database_keeps_them_waiting(url: str) -> None:
    async def work(store: Store) -> None:
        full(store)
        await store.keep(result(recipe=LARGE))
        assert (await store.settle()).recorded == ()
        assert "the disk is full" in store.waiting.why
        assert find_attempts(url) == []
        roomy(store)
        assert len((await store.settle()).recorded) == 1

    written(url, work)


@pytest.mark.sqlite
def test_without_a_place_on_disk_they_are_remembered(url: str, tmp_path: Path) -> None:
    """A file in place of the folder: not even root can write there."""
    in_the_way = tmp_path / "station.db.pending"
    waits = result(recipe=LARGE)

    async def work(store: Store) -> None:
        shutil.rmtree(in_the_way)
        in_the_way.touch()
        assert await store.keep(waits) is None
        assert store.waiting.unsafe == (waits,)
        assert str(in_the_way) in store.waiting.why
        full(store)
        await store.settle()
        assert store.waiting.unsafe == (waits,)
        in_the_way.unlink()
        await store.settle()
        assert not store.waiting.unsafe
        assert store.waiting.count == 1
        roomy(store)
        assert (await store.settle()).recorded == (waits.record,)

    written(url, work)
    assert folder_of(url).files() == {}


@pytest.mark.sqlite
def test_a_result_whose_file_stays_is_recorded_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another's turn comes, nothing waits, and the file goes as soon as it can."""
    first, second = result(), result()
    kept(url, first)

    async def work(store: Store) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", refused)
            assert (await store.settle()).recorded == (first.record,)
            (file,) = folder_of(url).files().values()
            assert (store.waiting.count, store.waiting.left_over) == (0, (file,))
            assert await store.settle() == Settled()
            place = await store.keep(second)
            assert place is not None
            assert place.name.startswith("000002-")
            assert (await store.settle()).recorded == (second.record,)
            assert store.waiting.left_over == (file, place)
        assert await store.settle() == Settled()
        assert not store.waiting.left_over

    written(url, work)
    assert folder_of(url).files() == {}
    assert len(find_attempts(url)) == 2


@pytest.mark.sqlite
@pytest.mark.parametrize("where", ["file", "memory"])
def test_an_attempt_whose_result_waits_was_not_interrupted(
    url: str, tmp_path: Path, where: str
) -> None:
    waits, died = result(), attempt()
    begun(url, waits.record.opened)
    begun(url, died)

    async def work(store: Store) -> None:
        if where == "memory":
            shutil.rmtree(tmp_path / "station.db.pending")
            (tmp_path / "station.db.pending").touch()
        await store.keep(waits)
        assert bool(store.waiting.unsafe) is (where == "memory")
        assert await store.close_interrupted() == (died.attempt_id,)
        assert (await store.settle()).recorded == (waits.record,)

    written(url, work)


@pytest.mark.sqlite
def test_a_folder_that_cannot_be_looked_into_is_no_empty_one(url: str, tmp_path: Path) -> None:
    (tmp_path / "station.db.pending").touch()
    with pytest.raises(DiskTrouble, match=r"station\.db\.pending"):
        written(url, lambda store: store.close_interrupted())


@pytest.mark.sqlite
def test_a_start_that_fails_leaves_no_engine_of_the_database_behind(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr("station.store.writer.writer_engine", made.append)
    (tmp_path / "station.db.pending").touch()
    with pytest.raises(DiskTrouble):
        written(url, lambda store: store.ping())
    assert made == []


@pytest.mark.sqlite
def test_what_comes_after_a_result_that_waited_has_a_later_key(url: str) -> None:
    """Also if the clock was set back in between."""
    ahead = str(uuid_utils.uuid7(nanoseconds=time.time_ns() + 120 * 10**9))
    kept(url, result(attempt_id=ahead))

    async def work(store: Store) -> str:
        await store.settle()
        return new_id()

    assert written(url, work) > ahead


def test_a_server_has_a_folder_only_if_one_is_named() -> None:
    assert beside("postgresql://station@db/record") is None


def test_a_result_gets_its_file_while_another_one_is_committed(tmp_path: Path) -> None:
    """The commit may hang for ever; what comes of it is told to whoever asks next."""
    waiting = Waiting(Pending(tmp_path / "pending"))
    first, second = result(), result()
    waiting.prepare()
    keep(waiting, first)
    asked, back = threading.Event(), threading.Event()

    def hang(_: Result) -> None:
        asked.set()
        assert back.wait(60)

    settling = threading.Thread(target=waiting.settle, args=(hang,))
    settling.start()
    try:
        assert asked.wait(60)
        keep(waiting, second)
        assert waiting.file_of(second.attempt_id) is not None
        assert (waiting.count, waiting.unsafe) == (2, ())
        assert waiting.news() == Settled()
    finally:
        back.set()
        settling.join(60)
    assert waiting.attempts == {second.attempt_id}
    assert not waiting.is_idle
    assert waiting.news().recorded == (first.record,)
    assert waiting.news() == Settled()


def keep(waiting: Waiting, result: Result) -> None:
    waiting.remember(result)
    waiting.save()


def test_a_result_is_remembered_though_the_disk_hangs(tmp_path: Path) -> None:
    waiting, lost = Waiting(Pending(tmp_path / "pending")), result()
    waiting.remember(lost)
    assert (waiting.count, waiting.unsafe) == (1, (lost,))
    assert waiting.attempts == {lost.attempt_id}
    assert waiting.file_of(lost.attempt_id) is None
