"""A record that several processes look at: they find what one finds, and no more."""

import multiprocessing
import os
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from station.errors import NoDatabase
from station.store import findings, schema, shares
from station.store import verify as verifying
from station.store.database import sqlite_url
from station.store.far import Came, Far, unheard
from station.store.links import Head
from station.store.share import RUN, WHOLE, Share
from station.store.shares import (
    WORTH_IT_BYTES,
    Looked,
    Part,
    ProcessLost,
    look_at,
    looked_at,
    processes_for,
)
from station.store.verify import verify
from tests.store.samples import a_key, attempt, flashed
from tests.tamper.edits import EDITS, Do, opened
from tests.tamper.records import make_record

pytestmark = pytest.mark.sqlite
TABLES = sorted(schema.metadata.tables)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shares") / "record.db"
    make_record(path, random.Random(3), a_key())
    return path


def by_turns(parts: Sequence[Part], _: Came = unheard) -> list[Looked]:
    """As `looked_at`, without its processes; the last part is done first."""
    taken = multiprocessing.Value("i", 0)
    return [look_at(part, taken, lambda _: None) for part in reversed(parts)]


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of few links."""
    monkeypatch.setattr(verifying, "Share", partial(Share, run=3))


def edited(record: Path, do: Do) -> str:
    """Changed in a way of which the record has something."""
    path = record.with_name("edited.db")
    for seed in range(50):
        shutil.copyfile(record, path)
        with opened(path) as db:
            if do(db, random.Random(seed)) is not None:
                return sqlite_url(path)
    raise AssertionError(do.__name__)


# --- they find what one finds -----------------------------------------------------------------


@pytest.mark.parametrize("do", EDITS, ids=lambda do: do.__name__)
@pytest.mark.usefixtures("shared")
def test_whatever_is_changed(record: Path, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    url = edited(record, do)
    monkeypatch.setattr(verifying, "looked_at", by_turns)
    alone = verify(url, processes=1)
    assert verify(url, processes=3) == alone


@pytest.mark.usefixtures("shared")
def test_in_processes_of_their_own(record: Path) -> None:
    assert verify(sqlite_url(record), processes=2) == verify(sqlite_url(record), processes=1)
    for do in (EDITS[0], next(do for do in EDITS if do.__name__ == "leave_out_of_an_index")):
        url = edited(record, do)
        found = verify(url, processes=2)
        assert found.findings
        assert found == verify(url, processes=1)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.usefixtures("shared")
def test_it_is_told_how_far_they_have_come(record: Path, processes: int) -> None:
    came: list[Far] = []
    verify(sqlite_url(record), processes=processes, came=came.append)
    rows, tables = [far.rows for far in came], [far.tables for far in came]
    assert rows == sorted(rows)
    assert tables == sorted(tables)
    assert came[-1] == Far(1.0, came[-1].of, came[-1].of)


@pytest.mark.parametrize("share", [WHOLE, Share(0, 3, 4), Share(2, 3, 4), Share(1, 2)])
def test_the_links_of_a_share_are_those_of_its_rows(share: Share) -> None:
    count = 3 * RUN // 2 if share.run == RUN else 30
    links = [link for run in share.links(count) for link in run]
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE chain (station, seq)")
        db.executemany("INSERT INTO chain VALUES ('', ?)", [(n,) for n in range(1, count + 1)])
        where = share.rows(schema.chain.c.seq).compile(compile_kwargs={"literal_binds": True})
        rows = db.execute(f"SELECT seq FROM chain WHERE {where} ORDER BY seq").fetchall()
    assert [row[0] for row in rows] == links
    assert share.how_many(count) == len(links)


@pytest.mark.parametrize("seq", [None, "x", 0, -7, 1.5, b"x"])
def test_a_row_that_names_no_link_is_of_the_first_share(seq: object) -> None:
    shown = [Share(number, 3, 4) for number in range(3)]
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE chain (station, seq)")
        db.execute("INSERT INTO chain VALUES ('', ?)", [seq])
        wheres = [
            share.rows(schema.chain.c.seq).compile(compile_kwargs={"literal_binds": True})
            for share in shown
        ]
        counts = [db.execute(f"SELECT count(*) FROM chain WHERE {w}").fetchone()[0] for w in wheres]
    assert counts == [1, 0, 0]


@pytest.mark.usefixtures("shared")
def test_of_more_than_anybody_reads_the_first_are_named(
    record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = record.with_name("edited.db")
    shutil.copyfile(record, path)
    with opened(path) as db:
        db.execute("UPDATE step SET duration_us = duration_us + 1")
    monkeypatch.setattr(verifying, "looked_at", by_turns)
    everything = verify(sqlite_url(path), processes=1).findings
    monkeypatch.setattr(findings, "MOST_FINDINGS", 5)
    for processes in (1, 3):
        assert verify(sqlite_url(path), processes=processes).findings == everything[:5]


# --- a line goes on meanwhile -----------------------------------------------------------------


def test_what_came_after_the_first_look_is_left_to_the_next_time(url: str) -> None:
    flashed(url, attempt())
    was = verify(url)
    heads = {name: Head(seq, seq, bytes.fromhex(hash_)) for name, (seq, hash_) in was.heads.items()}
    flashed(url, attempt(slot="A2"))
    flashed(url, attempt(station="line-2"))
    looked = by_turns([Part(url, heads, Share(n, 2, 3), TABLES) for n in range(2)])
    assert sum(one.rows for one in looked) == was.rows
    assert [list(one.findings) for one in looked] == [[], []]


# --- how many, and what becomes of them -------------------------------------------------------


def test_a_small_record_is_looked_at_by_one(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    for length_bytes, most in ((WORTH_IT_BYTES - 1, 1), (WORTH_IT_BYTES, shares.MOST_PROCESSES)):
        with path.open("wb") as file:
            file.truncate(length_bytes)
        wanted = min(most, len(os.sched_getaffinity(0)))
        assert processes_for(sqlite_url(path)) == wanted
    assert processes_for(sqlite_url(tmp_path / "none")) == 1
    assert processes_for("postgresql://localhost/station") == 1


def test_what_one_cannot_read_is_told_by_the_other(tmp_path: Path) -> None:
    none = Part(sqlite_url(tmp_path / "none.db"), {}, Share(0, 2), [])
    with pytest.raises(NoDatabase, match=r"none\.db"):
        looked_at([none])


def killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("shared")
def test_where_one_is_ended_from_outside_another_looks_at_everything(
    record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "_work", killed)
    with pytest.raises(ProcessLost):
        looked_at([Part(sqlite_url(record), {}, Share(0, 2), [])])
    url = edited(record, EDITS[0])
    assert verify(url, processes=2) == verify(url, processes=1)


def hangs(part: Part, taken: object, came: object) -> Looked:
    os.write(1, b"at work\n")
    threading.Event().wait(60)
    raise AssertionError(part, taken, came)


def works_for_ever(answer: Connection) -> None:
    shares.look_at = hangs
    taken, rows = multiprocessing.Value("i", 0), multiprocessing.RawArray("d", 1)
    shares._work(Part("", {}, WHOLE, []), taken, rows, answer)


PARENT = """
import multiprocessing
from tests.store.test_shares import works_for_ever
spawn = multiprocessing.get_context("spawn")
answer, theirs = spawn.Pipe()
process = spawn.Process(target=works_for_ever, args=(theirs,))
process.start()
print(process.pid, flush=True)
process.join()
"""


def test_none_outlives_whoever_asked() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, os.fdopen(os.pidfd_open(int(parent.stdout.readline()))) as process:
        assert parent.stdout.readline() == "at work\n"
        parent.kill()
        assert select.select([process], [], [], 30)[0], "it has ended"
