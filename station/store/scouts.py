"""Scouts go ahead of a long question, so that what it will read lies in memory when it comes by.

A list of millions looks up each unit by its keys, on pages all over the file. A disk reads many at
once, but the question waits for each. So a few connections ask the same meanwhile, a stretch of
time each, and throw away what they find: the answer is that of the question alone, of one moment.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from station.store import schema
from station.store.database import reader_engine, sqlite_path
from station.store.stretches import Stretch

WORTH_IT_BYTES = 8 << 30
"""From here on a question can wait for the disk longer than it works."""

SCOUTS = 8
_STRETCHES = 1024
"""Of a whole record: one in which there is much to read is not much behind the others."""

_CACHE = "PRAGMA cache_size=-4096"
"""In KiB: a stretch lies close together, and SQLite's own memory is nobody else's."""

_NICENESS = 10
"""Who asks comes first, and a line may be at work on the same machine."""

_key = schema.attempt_opened.c.id


@contextmanager
def scouted(url: str, question: sa.Select[Any]) -> Iterator[None]:
    """Scouts for this question about `attempt_opened`, until it is answered or left."""
    if not _is_worth_it(url):
        yield
        return
    left: deque[Stretch] = deque()
    with suppress(SQLAlchemyError, TypeError, ValueError):  # whoever asks will tell
        left.extend(stretches(url))
    with ThreadPoolExecutor(SCOUTS, "scout", _give_way) as scouts:
        for _ in range(SCOUTS):
            scouts.submit(_go, url, question, left)  # nor does anybody ask what became of it
        try:
            yield
        finally:
            left.clear()


def _is_worth_it(url: str) -> bool:
    path = sqlite_path(url)
    with suppress(OSError):
        return path is not None and path.stat().st_size >= WORTH_IT_BYTES
    return False


def stretches(url: str) -> Iterator[Stretch]:
    """All keys there can be, cut in equal times between the first and the last of the record."""
    with reader_engine(url).connect() as connection:
        ends = [connection.scalar(sa.select(end(_key))) for end in (sa.func.min, sa.func.max)]
    first_ms, last_ms = (UUID(key).int >> 80 for key in ends)
    cuts = [first_ms + (last_ms - first_ms) * n // _STRETCHES for n in range(1, _STRETCHES)]
    keys = [str(UUID(int=ms << 80)) for ms in cuts]
    return (Stretch(after, until) for after, until in pairwise([None, *keys, None]))


def _go(url: str, question: sa.Select[Any], left: deque[Stretch]) -> None:
    with reader_engine(url).connect() as connection:
        connection.exec_driver_sql(_CACHE)
        while left:
            found = question.where(left.popleft().holds(_key)).subquery()
            connection.scalar(sa.select(sa.func.count()).select_from(found))


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere it is that of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
