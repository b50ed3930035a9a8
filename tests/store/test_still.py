"""An engine that starts while somebody reads who may not write beside the record: neither of them
waits, and what is of no one moment is never given as good."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from station.dashboard import history_questions
from station.dashboard.history_questions import Ask
from station.errors import RecordDamaged, WrittenMeanwhile
from station.model import Outcome
from station.store import copying
from station.store.backup import backup
from station.store.batch import batch_of
from station.store.database import sqlite_path, sqlite_url, writer_engine
from station.store.export import exporting
from station.store.queries import find_attempts
from station.store.reading import reading
from station.store.recall import recall
from tests.new_record import new_record
from tests.store.made import NEW, Line, line
from tests.store.samples import event, recorded
from tests.strangers import as_owner, as_stranger, folder_for_all

pytestmark = pytest.mark.sqlite

UNITS = 700
"""More than are fetched at once."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "station.sqlite"
    new_record(sqlite_url(path))
    with line(sqlite_url(path)) as tried:
        for unit in range(UNITS):
            tried.tried(unit, Outcome.PASS)
    assert [file.name for file in path.parent.iterdir()] == ["station.sqlite"]
    return path


@pytest.fixture
def url(made: Path) -> Iterator[str]:
    """That record at rest, for a stranger."""
    with folder_for_all() as folder:
        shutil.copy(made, folder)
        with as_stranger(folder):
            yield sqlite_url(folder / made.name)


@pytest.fixture
def running() -> Iterator[ExitStack]:
    """What still runs when the test is over."""
    with ExitStack() as started:
        yield started


def path_of(url: str) -> Path:
    path = sqlite_path(url)
    assert path is not None
    return path


def engine_ran(url: str, _running: ExitStack | None = None) -> None:
    """It came and went, and its log has gone into the file."""
    with as_owner(path_of(url).parent):
        recorded(url, event())


def engine_runs(url: str, running: ExitStack) -> None:
    """It came, and what it wrote lies in its log."""
    with as_owner(path_of(url).parent):
        engine = writer_engine(url)
        running.callback(engine.dispose)
        with batch_of(engine) as batch:
            Line(batch).tried(0, Outcome.PASS)
        assert path_of(url).with_name("station.sqlite-wal").stat().st_size > 0


def was_restored(url: str, _running: ExitStack) -> None:
    """The same rows, in another file."""
    path = path_of(url)
    with as_owner(path.parent):
        copy = path.with_name("copy")
        shutil.copy(path, copy)
        os.utime(copy, ns=(0, path.stat().st_mtime_ns))
        copy.replace(path)


def was_spoiled(url: str, _running: ExitStack | None = None) -> None:
    path = path_of(url)
    with as_owner(path.parent), path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def test_who_is_not_disturbed_gets_all_of_it(url: str) -> None:
    found = recall(url, package=NEW.name)
    assert next(found).is_latest
    assert len(list(found)) == UNITS - 1
    left = recall(url, package=NEW.name)
    next(left)
    left.close()


@pytest.mark.parametrize("mishap", [engine_ran, engine_runs, was_restored, was_spoiled])
def test_a_list_during_which_the_engine_started_is_none(
    url: str, running: ExitStack, mishap: Callable[[str, ExitStack], None]
) -> None:
    """Whatever SQLite says of it: nothing, or that the file is damaged."""
    found = recall(url, package=NEW.name)
    next(found)
    mishap(url, running)
    with pytest.raises(WrittenMeanwhile, match="began to write"):
        list(found)


def test_nor_is_one_that_is_left_before_its_end(url: str) -> None:
    found = recall(url, package=NEW.name)
    next(found)
    engine_ran(url)
    with pytest.raises(WrittenMeanwhile):
        found.close()


def test_nor_is_any_other_answer(url: str) -> None:
    def spoil(url: str) -> None:
        engine_ran(url)
        raise LookupError("a value that is none")

    with pytest.raises(WrittenMeanwhile), reading(url):
        engine_ran(url)
    with pytest.raises(WrittenMeanwhile), reading(url):
        spoil(url)


def test_then_it_is_asked_again(url: str, running: ExitStack) -> None:
    """The log lies there, so SQLite itself keeps a moment."""
    engine_runs(url, running)
    with as_owner(path_of(url).parent):
        for file in path_of(url).parent.iterdir():
            file.chmod(0o644)
    with reading(url), as_owner(path_of(url).parent):
        recorded(url, event())
    assert len(find_attempts(url)) == UNITS + 1


def test_a_file_that_is_damaged_at_rest_is_said_to_be(url: str) -> None:
    was_spoiled(url)
    with pytest.raises(RecordDamaged):
        list(recall(url, package=NEW.name))


def test_a_bundle_is_signed_for_no_such_answer(url: str) -> None:
    """The attempts end with it, before anybody signs."""

    def export() -> None:
        with exporting(url, package=NEW.name) as found:
            next(found.attempts)
            engine_ran(url)
            with pytest.raises(WrittenMeanwhile):
                list(found.attempts)

    with pytest.raises(WrittenMeanwhile):
        export()


def test_no_backup_is_made_of_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_patience", lambda: lambda *_: engine_ran(url))
    with folder_for_all() as folder:
        with as_owner(path_of(url).parent):
            folder.chmod(0o777)
        with pytest.raises(WrittenMeanwhile):
            backup(url, folder / "copy.bak", chain=False)
        assert list(folder.iterdir()) == []


def test_nor_does_a_screen_show_its_beginning(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for a few rows and leaves the rest."""
    assert history_questions.answer(url, "line-1", Ask.EVER, NEW.name, 0, 2).is_cut
    shown = history_questions._flashed

    def disturbed(*arguments: object) -> history_questions.Row:
        engine_ran(url)
        return shown(*arguments)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(history_questions, "_flashed", disturbed)
    for ask in (Ask.RECALL, Ask.EVER):
        with pytest.raises(WrittenMeanwhile):
            history_questions.answer(url, "line-1", ask, NEW.name, 0, 2)
