"""Who waits for whom: commits wait for each other, questions for nobody."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from station.errors import DatabaseError
from station.store import database
from station.store.events import find_events
from station.store.writer import open_store
from tests.store.samples import UNIT, event, rows, stranger, written


@pytest.mark.sqlite
def test_questions_do_not_wait_for_a_commit(url: str) -> None:
    async def main() -> None:
        committed = trio.Event()

        async with open_store(url) as store, trio.open_nursery() as nursery:

            async def commit() -> None:
                await store.add_event(event())
                committed.set()

            with stranger(url) as somebody:
                somebody.execute("BEGIN IMMEDIATE")
                nursery.start_soon(commit)
                await wait_all_tasks_blocked()  # the writer's thread waits for the lock
                assert await store.last_event("line-1", "hold") is None
                assert await store.last_verdict(UNIT) is None
                assert (await store.counts_since("line-1", 0)).first == 0
                assert await store.unit_by_chip("1f0a2b3c") is None
                assert not committed.is_set()
                somebody.rollback()
            await committed.wait()

    trio.run(main)
    assert len(find_events(url)) == 1


@pytest.mark.sqlite
def test_a_ping_writes_nothing_and_keeps_no_lock(url: str) -> None:
    async def main() -> None:
        async with open_store(url) as store:
            await store.ping()
            await store.ping()
            with stranger(url) as somebody:
                somebody.execute("PRAGMA busy_timeout = 0")
                somebody.execute("BEGIN IMMEDIATE")
                somebody.rollback()
            await store.add_event(event())

    trio.run(main)
    assert rows(url, "SELECT COUNT(*) FROM station_event") == [(1,)]


@pytest.mark.sqlite
def test_a_ping_tells_that_the_record_cannot_be_written(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.01)
    with stranger(url) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="another program kept it locked"):
            written(url, lambda store: store.ping())
