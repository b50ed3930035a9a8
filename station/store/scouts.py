"""Scouts go ahead of a long question, so that what it will read lies in memory when it comes by.

A list of millions looks up each unit by its keys, on pages all over the file. A disk reads many at
once, but the question waits for each. So a few connections ask the same meanwhile, a stretch of
time each, and throw away what they find: the answer is that of the question alone, of one moment.
"""

import os
import re
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from station.store import schema
from station.store.database import reader_engine, sqlite_path
from station.store.stretches import Stretch

WORTH_IT_BYTES = 8 << 30
"""From here on a question can wait for the disk longer than it works."""

SCOUTS = 4
_STRETCHES = 1024
"""Of a whole record: one in which there is much to read is not much behind the others."""

_CACHE = "PRAGMA cache_size=-4096"
"""In KiB: a stretch lies close together, and SQLite's own memory is nobody else's."""

_NICENESS = 10
"""Who asks comes first, and a line may be at work on the same machine."""

_BOUNDS = re.compile(r" AND \w+>\? AND \w+<\?")
"""Of a stretch, in a line of a plan: an index is entered at one and left at the other."""

_AGAIN_S, _LEAVE_S = 0.05, 1.0

_TROUBLE = (
    SQLAlchemyError,
    sqlite3.Error,
    OSError,
    RuntimeError,
    LookupError,
    TypeError,
    ValueError,
)
"""A record that cannot be read or has odd keys, a thread that cannot begin, none left to do."""

_key = schema.attempt_opened.c.id


@contextmanager
def scouted(url: str, question: sa.Select[Any]) -> Iterator[None]:
    """Scouts for this question about `attempt_opened`, until it is answered or left. They
    only help: what goes wrong with one ends that one, and whoever asks will tell."""
    with ExitStack() as scouts:
        if _is_worth_it(url):
            with suppress(*_TROUBLE):
                left = deque(stretches(url, question))
                for _ in range(min(SCOUTS, len(left))):
                    scouts.enter_context(_scout(url, question, left))
        yield


def _is_worth_it(url: str) -> bool:
    path = sqlite_path(url)
    with suppress(OSError):
        return path is not None and path.stat().st_size >= WORTH_IT_BYTES
    return False


def stretches(url: str, question: sa.Select[Any]) -> list[Stretch]:
    """All keys there can be, cut in equal times between the first and the last of the record. None
    where a stretch is not found by an index, or by another than the question goes along."""
    with reader_engine(url).connect() as connection:
        if not _is_parted(connection, question):
            return []
        ends = [connection.scalar(sa.select(end(_key))) for end in (sa.func.min, sa.func.max)]
    first_ms, last_ms = (UUID(key).int >> 80 for key in ends)
    cuts = [first_ms + (last_ms - first_ms) * n // _STRETCHES for n in range(1, _STRETCHES)]
    keys = [str(UUID(int=ms << 80)) for ms in cuts]
    return [Stretch(after, until) for after, until in pairwise([None, *keys, None])]


def _is_parted(connection: sa.Connection, question: sa.Select[Any]) -> bool:
    part = _plan(connection, scouting(question, Stretch("0", "1")))
    parted = [_BOUNDS.sub("", line) for line in part]
    return parted != part and parted == _plan(connection, question)


def _plan(connection: sa.Connection, question: sa.Select[Any]) -> list[str]:
    """What SQLite goes along, whatever the values."""
    made = question.compile(connection, compile_kwargs={"render_postcompile": True})
    values = (None,) * len(made.params)
    lines = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {made}", values)
    return [line.detail for line in lines]


def scouting(question: sa.Select[Any], stretch: Stretch) -> sa.Select[Any]:
    """Looks up what the question does on this stretch, and tells one value."""
    found = question.where(stretch.holds(_key)).subquery()
    *_, last = found.c
    return sa.select(sa.func.max(last))  # what nobody wants is not looked up


@contextmanager
def _scout(url: str, question: sa.Select[Any], left: deque[Stretch]) -> Iterator[None]:
    """One of them. It ends with this context, whatever it is at; one whose disk does not answer is
    left alone with it."""
    opened: list[sqlite3.Connection] = []
    scout = threading.Thread(
        target=_go, args=(url, question, left, opened.append), name="scout", daemon=True
    )
    scout.start()
    try:
        yield
    finally:
        left.clear()
        until_s = time.monotonic() + _LEAVE_S
        while scout.is_alive() and time.monotonic() < until_s:
            for raw in opened:
                with suppress(sqlite3.Error):  # it is closed by now
                    raw.interrupt()  # of what runs at this moment; it may be between two
            scout.join(_AGAIN_S)


def _go(
    url: str,
    question: sa.Select[Any],
    left: deque[Stretch],
    tell: Callable[[sqlite3.Connection], None],
) -> None:
    with suppress(*_TROUBLE), reader_engine(url).connect() as connection:
        tell(cast("sqlite3.Connection", connection.connection.driver_connection))
        _give_way()
        connection.exec_driver_sql(_CACHE)
        while left:
            connection.scalar(scouting(question, left.popleft()))


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere it is that of the whole process
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
