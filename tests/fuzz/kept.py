"""What lies beside the record or was carried elsewhere, and comes back: bundles, results that wait,
checkpoints, transcripts. As in `tests.fuzz.wire`, each function takes bytes, raises what its parser
may raise, and checks what was accepted."""

import atexit
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from zipfile import ZipFile

from station.bundle.checking import check_bundle
from station.bundle.manifest import LINES
from station.commands.attempt_story import Story
from station.errors import BadBundle, DatabaseError, ResultSetAside
from station.evidence.cabinet import MAX_BYTES, unpack
from station.evidence.reading import read_transcript
from station.evidence.words import in_words
from station.model import AttemptRecord
from station.seal.checkpoint import parse_line
from station.seal.published import last_published, read_published
from station.store.batch import batch_of
from station.store.database import database_errors, is_refused, sqlite_url, writer_engine
from station.store.pending import Pending, Result
from station.store.reading import reading
from station.store.settle import insert_missing
from station.store.signing import sign
from station.store.verify import _Check
from tests.fuzz.sealed import KEY
from tests.new_record import new_record
from tests.store.samples import (
    BOOT,
    IDENTIFY,
    NOON_US,
    PROGRAM,
    READ_BY_SAHARA,
    attempt,
    event,
    failed,
    recorded,
    verdict,
)

STATION = "line-1"
ATTEMPT = "01a8b000-0000-7000-8000-000000000001"
_OTHER_KEY = "ab" * 32
_SHOWN_CHARS = 400


def result() -> Result:
    """One that waits."""
    opened = attempt(attempt_id=ATTEMPT)
    record = AttemptRecord(opened, verdict(opened), (IDENTIFY, PROGRAM), (BOOT,))
    return Result(record, (READ_BY_SAHARA,))


def failed_record() -> AttemptRecord:
    opened = attempt(attempt_id=ATTEMPT)
    return AttemptRecord(opened, failed(opened), (IDENTIFY, PROGRAM), (BOOT,))


@cache
def _record() -> str:
    """A small one of this process, which nobody changes: its URL."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    url = sqlite_url(folder / "station.sqlite")
    new_record(url)
    recorded(url, event(), event("release"))
    return url


class _Enough(Exception):
    """What was inserted is taken back."""


# --- bundles ----------------------------------------------------------------------------------


def bundle(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        path.write_bytes(data)
        checked = check_bundle(path)
        assert check_bundle(path, frozenset({checked.public_key})) == checked
        with suppress(BadBundle):
            check_bundle(path, frozenset({_OTHER_KEY}))
            raise AssertionError("anybody's signature is taken for one that is trusted")
        with ZipFile(path) as archive:
            assert len(archive.read(LINES).splitlines()) == checked.manifest.attempts


# --- results that wait ------------------------------------------------------------------------


def result_file(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pending = Pending(Path(folder))
        found = _read(pending, data)
        assert pending.read(pending.write(2, found)) == found


def result_recorded(data: bytes) -> None:
    """As the writer commits it: what no record takes is set aside."""
    with tempfile.TemporaryDirectory() as folder:
        found = _read(Pending(Path(folder)), data)
    url = _record()
    try:
        with suppress(_Enough), database_errors(url), batch_of(_writer(url)) as batch:
            insert_missing(batch, found)
            batch.seal()
            raise _Enough
    except (LookupError, ValueError) as error:
        raise ResultSetAside(str(error)) from error
    except DatabaseError as error:
        if is_refused(error):
            raise ResultSetAside(error.cause) from error
        raise


_writer = cache(writer_engine)


def _read(pending: Pending, data: bytes) -> Result:
    place = pending.folder / f"000001-{ATTEMPT}.json"
    place.write_bytes(data)
    return pending.read(place)


# --- checkpoints ------------------------------------------------------------------------------


def checkpoint_line(data: bytes) -> None:
    found = parse_line(data.decode("ascii", "replace"), "a line")
    assert parse_line(found.line(), "a line") == found
    assert found.signed(KEY).is_genuine()
    assert not replace(found.signed(KEY), seq=found.seq + 1).is_genuine()


def checkpoints(data: bytes) -> None:
    """A file of them, held against a record as `audit verify` does once it has looked at all rows,
    and as the next signature does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoints.jsonl"
        path.write_bytes(data)
        found = read_published(path).checkpoints
        last = last_published(path, STATION)
    assert last is None or (last in found and last.is_genuine())
    url = _record()
    with reading(url) as connection:
        check = _Check(url, connection)
        check.signatures(found, frozenset({KEY.public}))
        assert all(seq <= check.told().links for seq in check.told().witnessed.values())
    with suppress(_Enough), database_errors(url), batch_of(_writer(url)) as batch:
        sign(batch, STATION, KEY, reason="start", now_us=NOON_US, known=last)
        batch.seal()
        raise _Enough


# --- transcripts ------------------------------------------------------------------------------


def transcript(data: bytes) -> None:
    """As `station explain` tells it."""
    read = read_transcript(data)
    lines = list(in_words(read.entries))
    assert len(lines) >= len(read.entries)
    assert all(line.words.isprintable() and len(line.words) <= _SHOWN_CHARS for line in lines)
    for record in (failed_record(), result().record):
        for full in (True, False):
            text = Story(record, read, None).text(full=full)
            assert all(char.isprintable() or char == "\n" for char in text)


def packed_transcript(data: bytes) -> None:
    """As it lies in the cabinet."""
    unpacked = unpack(data, "a file")
    assert len(unpacked) <= MAX_BYTES
    transcript(unpacked)
