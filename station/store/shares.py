"""A large record, looked at by several processes: each holds the rows of its own links against the
chain, then takes one table after the other and looks at its pages and indexes.

Each reads the record at a moment of its own, a little after that of the process which asks. Rows
are only added, so all see the same up to the links there were; the rest is left to the next time.
"""

import multiprocessing
import os
import signal
import statistics
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ctypes import Array, c_double
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import Synchronized

import sqlalchemy as sa

from station.store.ahead import Ahead
from station.store.database import sqlite_path
from station.store.far import Came, Far, unheard
from station.store.findings import Finding, Findings
from station.store.links import Head, Links
from station.store.raw_rows import read_any_text
from station.store.reading import reading
from station.store.row_check import RowCheck
from station.store.share import Share
from station.store.untouched import damage_in

WORTH_IT_BYTES = 64 << 20
"""From here on the rows take longer than the start of a process."""

MOST_PROCESSES = 4

_TOLD_S = 1.0

_NICENESS = 10
"""A line may be at work on the same machine."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one process looks at. `heads`: of the chains, no rows after them are. `tables`: all of
    the record, of which each is for one."""

    url: str
    heads: Mapping[str, Head]
    share: Share
    tables: Sequence[str]


@dataclass(frozen=True, slots=True)
class Looked:
    """`findings`: the first ones by link."""

    findings: Sequence[Finding]
    rows: int


def processes_for(url: str) -> int:
    """How many a record is worth, one for a small one or a server's."""
    path = sqlite_path(url)
    with suppress(OSError):
        if path is not None and path.stat().st_size >= WORTH_IT_BYTES:
            return min(MOST_PROCESSES, len(os.sched_getaffinity(0)))
    return 1


class ProcessLost(Exception):
    """A process could not begin, or was ended from outside; what it has looked at is not known."""


def looked_at(parts: Sequence[Part], came: Came = unheard) -> list[Looked]:
    """In any order. Raises as `reading`, and ProcessLost."""
    spawn = multiprocessing.get_context("spawn")
    taken, rows = spawn.Value("i", 0), spawn.RawArray("d", len(parts))
    tables = len(parts[0].tables)
    looked: list[Looked] = []
    with ExitStack() as started:
        answers = [started.enter_context(_process(part, taken, rows)) for part in parts]
        while answers:
            ready = wait(answers, _TOLD_S)
            turns = taken.get_obj().value  # by no lock: who holds it may be gone
            came(Far(statistics.fmean(rows), min(turns, tables), tables))
            for answer in [one for one in answers if one in ready]:
                answers.remove(answer)
                looked.append(_told(answer))
    return looked


def look_at(part: Part, taken: "Synchronized[int]", came: Callable[[float], None]) -> Looked:
    """`taken`: how many tables somebody has taken already. `came`: the share of its rows, 0 to 1.
    Raises as `reading`."""
    with reading(part.url) as connection:
        read_any_text(connection)
        links = Links(connection, part.heads)
        tables = _not_taken(part.tables, taken)
        return look(part.url, connection, links, part.share, tables, came)


def look(
    url: str,
    connection: sa.Connection,
    links: Links,
    share: Share,
    tables: Iterable[str],
    came: Callable[[float], None],
) -> Looked:
    """At the rows of these links, the pages and indexes of these tables. Raises as the database."""
    found = Findings()
    check = RowCheck(connection, links, found, share)
    with Ahead(sqlite_path(url)) as ahead:

        def at(so_far: float) -> None:
            ahead.at(so_far)
            came(so_far)

        check.look(at)
    came(1.0)
    for what, why in damage_in(connection, tables):
        found.add("", 0, what, why)
    return Looked(found.in_order(), check.rows)


def _not_taken(tables: Sequence[str], taken: "Synchronized[int]") -> Iterator[str]:
    while True:
        with taken.get_lock():
            number, taken.value = taken.value, taken.value + 1
        if number >= len(tables):
            return
        yield tables[number]


# --- processes --------------------------------------------------------------------------------


@contextmanager
def _process(
    part: Part, taken: "Synchronized[int]", rows: "Array[c_double]"
) -> Iterator[Connection]:
    """Where its answer comes; it is ended when nobody waits for that any more."""
    spawn = multiprocessing.get_context("spawn")
    answer, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_work, args=(part, taken, rows, theirs), daemon=True)
    with answer:
        with theirs:
            process.start()
        try:
            yield answer
        finally:
            process.kill()  # it only reads
            process.join()


def _told(answer: Connection) -> Looked:
    try:
        told: Looked | Exception = answer.recv()
    except EOFError:
        raise ProcessLost from None
    if isinstance(told, Exception):
        raise told
    return told


def _work(
    part: Part,
    taken: "Synchronized[int]",
    rows: "Array[c_double]",
    answer: Connection,
) -> None:
    """The whole life of a process; of what goes wrong the other tells."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, daemon=True).start()
    with suppress(OSError):  # a service may not
        os.nice(_NICENESS)
    told: Looked | Exception
    try:
        told = look_at(part, taken, partial(rows.__setitem__, part.share.number))
    except Exception as error:  # noqa: BLE001 - raised again where somebody sees it
        told = error
    with suppress(BrokenPipeError):
        answer.send(told)


def end_with_parent() -> None:
    """However that ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
