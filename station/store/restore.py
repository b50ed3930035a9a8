"""A backup put in the place of the record, which is kept beside it.

All that can fail is done to a copy of the backup first. The copy gets the row that says so, and
takes the record's place by one rename: whenever the power goes, one of the two is there, whole.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from station.durable import sync_folder
from station.errors import NotRestored, SchemaTooNew, StoreError
from station.model import RESTORED, Fact, Person, StationEvent
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey
from station.store import ids, schema
from station.store.backup import file_of, whole
from station.store.batch import batch_of, heads
from station.store.copying import copied, like, settle, stamp
from station.store.database import (
    BUSY_TIMEOUT_S,
    database_errors,
    reader_engine,
    sqlite_url,
    writer_engine,
)
from station.store.examine import newest_key
from station.store.far import Came, unheard
from station.store.migrate import upgrade_copy
from station.store.origin import Proof, SignedTo, require_own
from station.store.reading import reading
from station.store.revision import check
from station.store.rows import event_row
from station.store.signing import sign
from station.store.verify import Verified

Heads = Mapping[str, tuple[int, str]]
"""Station -> its last link, and that one's hash."""


@dataclass(frozen=True, slots=True)
class By:
    """Who restores, where, why and when; `peer_uid` and `peer_user` are the operating system's
    user. `key`: signs what the record says then, if there is one."""

    station: str
    person: Person
    reason: str | None
    peer_uid: int
    peer_user: str
    utc_us: int
    key: PrivateKey | None


@dataclass(frozen=True, slots=True)
class Restored:
    """`aside`: the record that was in place; None: there was none. `before`: how far it went;
    None: that cannot be read. `signed_to`: of the backup; `signed`: what it was signed with."""

    aside: Path | None
    before: Heads | None
    checked: Verified
    signed_to: SignedTo
    signed: Checkpoint | None


def restore(url: str, backup: Path, by: By, proof: Proof, came: Came = unheard) -> Restored:
    """Whoever calls has the engine's lease, so that nobody else writes. `proof`: a backup that it
    speaks against is not signed with the station's key. `came`: as `verify`.

    Raises NotRestored, SchemaTooNew, NoBackup for a database server, DatabaseError; then the
    record in place is as it was.
    """
    path = file_of(url)
    _refuse_odd(backup, path)
    before = _heads_of(url) if path.exists() else {}
    with ExitStack() as held:
        with _not_restored(backup):
            copy = held.enter_context(copied(backup, path.parent, path.name, in_full=False))
            with _told_of(backup, copy):
                checked, signed_to, signed = _make_ready(copy, backup, before, by, proof, came)
        with database_errors(url):
            if path.exists():
                like(path, copy)
            aside = _set_aside(path)
            copy.replace(path)
            sync_folder(path.parent)
    check(url)
    return Restored(aside, before, checked, signed_to, signed)


def _make_ready(
    copy: Path, backup: Path, before: Heads | None, by: By, proof: Proof, came: Came
) -> tuple[Verified, SignedTo, Checkpoint | None]:
    """The copy as it will be the record."""
    url = sqlite_url(copy)
    if upgrade_copy(url).before is None:
        raise NotRestored(f"{backup} is empty")
    checked = whole(copy, came)
    signed_to = require_own(url, proof)
    ids.after(newest_key(url))
    signed = _tell(url, by, _detail(backup, before, checked.heads, signed_to))
    settle(copy, in_full=False)
    return checked, signed_to, signed


@contextmanager
def _not_restored(backup: Path) -> Iterator[None]:
    """What is wrong with the backup is not wrong with the record."""
    try:
        yield
    except (NotRestored, SchemaTooNew):
        raise
    except StoreError as error:
        is_named = str(backup) in error.cause
        raise NotRestored(error.cause if is_named else f"{backup}: {error.cause}") from error


@contextmanager
def _told_of(backup: Path, copy: Path) -> Iterator[None]:
    """Nobody knows the copy, and when it is told of it is gone."""
    try:
        yield
    except StoreError as error:
        raise type(error)(error.cause.replace(str(copy), str(backup))) from error


def _refuse_odd(backup: Path, path: Path) -> None:
    if not backup.is_file():
        raise NotRestored(f"there is no file {backup}")
    if path.exists() and backup.samefile(path):
        raise NotRestored(f"{backup} is the record itself")
    if path.is_dir():
        raise NotRestored(f"{path} is a folder, not a database")
    if not path.parent.is_dir():
        raise NotRestored(f"there is no folder {path.parent}")


def _heads_of(url: str) -> Heads | None:
    """Whatever is the matter with it: that is why somebody restores."""
    try:
        with reading(url) as connection:
            return {name: (seq, hash_.hex()) for name, seq, hash_ in heads(connection)}
    except StoreError:
        return None


def _detail(
    backup: Path, before: Heads | None, after: Heads, signed_to: SignedTo
) -> dict[str, Fact]:
    def told(found: Heads) -> dict[str, Fact]:
        return {name: {"seq": seq, "hash": hash_} for name, (seq, hash_) in found.items()}

    with backup.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "backup": backup.name,
        "sha256": sha256,
        "from": None if before is None else told(before),
        "to": told(after),
        "signed_to": dict(signed_to),
    }


def _tell(copy_url: str, by: By, detail: dict[str, Fact]) -> Checkpoint | None:
    event = StationEvent(
        event_id=ids.new_id(),
        station=by.station,
        utc_us=by.utc_us,
        kind=RESTORED,
        actor=by.person.name,
        peer_uid=by.peer_uid,
        peer_user=by.peer_user,
        detail=detail if by.reason is None else detail | {"reason": by.reason},
        role=None if by.person.role is None else by.person.role.value,
    )
    engine = writer_engine(copy_url)
    try:
        with database_errors(copy_url):
            with batch_of(engine) as batch:
                batch.insert(schema.station_event, [event_row(event)])
            if by.key is None:
                return None
            with batch_of(engine) as batch:
                return sign(batch, by.station, by.key, reason=RESTORED, now_us=by.utc_us)
    finally:
        engine.dispose()


# --- files ------------------------------------------------------------------------------------


def _set_aside(path: Path) -> Path | None:
    """A second name for the record, which stays in place until the other one takes it."""
    aside = _free_name(path)
    if not path.exists():
        _move_logs(path, aside)
        return None
    is_folded = _fold_log(path)
    aside.hardlink_to(path)
    if not is_folded:
        _move_logs(path, aside)
    sync_folder(path.parent)
    return aside


def _free_name(path: Path) -> Path:
    """For whoever restores twice in a second."""
    name = first = path.with_name(f"{path.name}.replaced-{stamp()}")
    number = 1
    while os.path.lexists(name):
        number += 1
        name = first.with_name(f"{first.name}-{number}")
    return name


def _fold_log(path: Path) -> bool:
    """The log belongs to the file that is replaced: it goes into it. False: it is past that."""
    if not _can_be_opened(path):
        return False
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as db:
            (mode,) = db.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        raise NotRestored(f"the record cannot be set aside ({error}); is it in use?") from error
    if mode != "delete":
        raise NotRestored(f"the record is in use by another program ({mode})")
    return True


def _can_be_opened(path: Path) -> bool:
    """Looked at without writing: SQLite throws the log of a damaged file away."""
    try:
        with reader_engine(sqlite_url(path)).connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except sa.exc.DBAPIError:
        return False
    return True


def _move_logs(path: Path, aside: Path) -> None:
    """So that no log of the old file is taken for one of the new."""
    for tail in ("-wal", "-shm", "-journal"):
        log = path.with_name(path.name + tail)
        if log.exists():
            log.rename(aside.with_name(aside.name + tail))
