"""All attempts that answer a question, one after the other, with how far the record went."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from station.model import AttemptRecord
from station.seal.checkpoint import Checkpoint
from station.store import schema
from station.store.batch import heads
from station.store.far import Came
from station.store.queries import conditions
from station.store.reading import reading
from station.store.recall import recalled
from station.store.records import Condition, records
from station.store.revision import require_current
from station.store.signing import newest_checkpoint
from station.store.still import require_still
from station.store.verify import Verified, verify_at

_PAGE = 500
"""Attempts put together at a time."""

Verify = Callable[[Sequence[Checkpoint], frozenset[str], Came], Verified]
"""With checkpoints that were kept elsewhere, and trusted keys; see `station.store.verify`."""

_id = schema.attempt_opened.c.id


@dataclass(frozen=True, slots=True)
class Export:
    """One moment of the record. `attempts`: oldest first, to be gone through once. `heads`:
    station, number and hash of its last link; `checkpoints`: the newest of each. `verify`: looks at
    all of that moment, before the attempts are gone through."""

    attempts: Iterator[AttemptRecord]
    heads: tuple[tuple[str, int, str], ...]
    checkpoints: tuple[Checkpoint, ...]
    schema_revision: str
    verify: Verify


@contextmanager
def exporting(url: str, *, recall: bool = False, **asked: Any) -> Iterator[Export]:  # noqa: ANN401 - the conditions of `find_attempts`
    """`asked`: as `find_attempts`, without a limit. `recall`: of the attempts with this package or
    firmware those that are the latest good flash of their unit. Raises as `reading`, while it is
    read, too."""
    with reading(url) as connection:
        revision = require_current(connection, "").expected
        last = tuple((name, seq, hash_.hex()) for name, seq, hash_ in heads(connection))
        signed = (newest_checkpoint(connection, name) for name, _, _ in last)
        wanted = conditions(**asked)
        if recall:
            of = {name: asked.get(name) for name in ("package", "firmware")}
            wanted.append(recalled(connection, **of))
        found = _attempts(connection, wanted)

        def held(outside: Sequence[Checkpoint], trusted: frozenset[str], came: Came) -> Verified:
            return verify_at(url, connection, outside, trusted, came=came)

        yield Export(found, last, tuple(filter(None, signed)), revision, held)


def _attempts(connection: sa.Connection, which: Sequence[Condition]) -> Iterator[AttemptRecord]:
    """The keys are asked for once, however many there are; the rest a page at a time. They are good
    once all are told, for then somebody signs for them. Raises WrittenMeanwhile."""
    keys = sa.select(_id).where(*which).order_by(_id).execution_options(stream_results=True)
    for page in connection.execute(keys).scalars().partitions(_PAGE):
        yield from records(connection, [_id.in_(page)], None)
    require_still(connection)
