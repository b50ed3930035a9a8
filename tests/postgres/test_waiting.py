"""A result that waited in a file is recorded on a server, too, and once."""

from pathlib import Path

import trio

from station.store.pending import Result
from station.store.queries import find_attempts
from station.store.verify import verify
from station.store.writer import open_store
from tests.postgres.databases import migrated_database
from tests.store.test_waiting import result


def test_it_is_recorded_once(tmp_path: Path) -> None:
    waits: Result = result()

    async def main(url: str) -> None:
        for _ in range(2):
            async with open_store(url, pending=tmp_path / "pending") as store:
                await store.keep(waits)
            async with open_store(url, pending=tmp_path / "pending") as store:
                await store.settle()

    with migrated_database() as url:
        trio.run(main, url)
        (found,) = find_attempts(url, since_utc_us=0)
        assert found.closed == waits.record.closed
        assert (found.steps, found.images) == (waits.record.steps, waits.record.images)
        assert verify(url).is_untouched
