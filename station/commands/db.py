"""`station db`: the database made, checked, copied, put back."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from station.commands.audit_seal import Witness
from station.commands.audit_seal import check as verify_record
from station.commands.exits import Exit, complain, say, show
from station.commands.inspect import Answer
from station.commands.options import user_name
from station.commands.so_far import said_so_far
from station.config import Settings
from station.engine import lock
from station.engine.people import People
from station.errors import (
    DiskTrouble,
    NoCheckpoint,
    NotPublished,
    NotUpgraded,
    RecordDamaged,
    StoreError,
    UsageError,
)
from station.model import Person
from station.seal.checkpoint import Checkpoint
from station.seal.keys import find_key
from station.seal.published import publish, read_published
from station.store import migrate, revision
from station.store.backup import backup, file_of
from station.store.database import shown, sqlite_path
from station.store.origin import Proof
from station.store.people import operators
from station.store.reading import nothing_to_save
from station.store.restore import By, Restored, restore
from station.store.soundness import faults
from station.store.verify import Verified
from station.store.writer import now_utc_us

_SHOWN = 20


def upgrade_database(settings: Settings) -> Answer:
    """Create the database or bring it to this software's schema, after a backup; no engine may
    run: what it wrote after the backup would be in no copy. Raises EngineRunning, NotUpgraded, and
    as `migrate.upgrade`."""
    try:
        with lock.own(sqlite_path(settings.database), ()):
            done = migrate.upgrade(settings.database)
    except DiskTrouble as error:  # of the lease, beside the database
        raise NotUpgraded(error.cause) from error
    if done.before == done.after:
        return Answer(f"{shown(settings.database)}: schema {done.after} already")
    kept = "" if done.backup is None else f"; the old one is kept as {done.backup}"
    before = done.before or "nothing"
    return Answer(f"{shown(settings.database)}: schema {before} -> {done.after}{kept}")


def check_database(settings: Settings, *, deep: bool) -> Exit:
    """Say what is not as it must be; `deep`: each row against the chain, too. Raises as `reading`,
    and with `deep` as `audit_seal.check`."""
    place = shown(settings.database)
    with nothing_to_save():
        revisions = revision.check(settings.database)
    show(f"{place}: schema {revisions.current}, as it must be")
    found = faults(settings.database)
    if found:
        told = [f"{what}: {why}" for what, why in found]
        complain(RecordDamaged(f"{place}: {told[0]}"))
        show("\n".join(told[:_SHOWN]))
        return Exit.VERDICT
    show("file, tables, guards, indexes and references are whole")
    return verify_record(settings, Witness()) if deep else Exit.GOOD


def back_up(settings: Settings, out: Path | None, *, chain: bool) -> Answer:
    """Copy the record while an engine runs or not, and look whether the copy is whole."""
    made = backup(settings.database, out, chain=chain, came=said_so_far())
    size = f"{made.path}: {made.length_bytes / 1e6:.1f} MB"
    if made.checked is None:
        return Answer(f"{size}; the file is whole, its chain was not looked at")
    return Answer("\n".join([f"{size}, whole: {_rows(made.checked)}", *_heads(made.checked)]))


def put_back(
    settings: Settings,
    file: Path,
    *,
    by: str | None = None,
    reason: str | None = None,
    unsigned: bool = False,
) -> Answer:
    """Put a backup in the place of the record; no engine may run. Says what that loses. `unsigned`:
    one that no trusted key has signed, too. Raises StoreError, EngineRunning, and as
    `People.engineer`."""
    person = _restorer(settings, user_name() if by is None else by, reason)
    path = file_of(settings.database)
    key, published = find_key(settings.key), _published(settings)
    known = _furthest(published, settings.station.name)
    now_us = now_utc_us() if known is None else max(now_utc_us(), known.utc_us + 1)
    who = By(settings.station.name, person, reason, os.getuid(), user_name(), now_us, key)
    trusted = frozenset(settings.audit.trusted) | ({key.public} if key else set())
    with lock.own(path, ()):
        proof = Proof(trusted, published, unsigned)
        done = restore(settings.database, file, who, proof, said_so_far())
    if key is None:
        say("the station has no key: nobody has signed that the record was restored")
    if done.signed is not None and settings.publish is not None:
        _publish(done.signed, settings.publish)
    return Answer("\n".join(_restored(done, path, known)))


def _restorer(settings: Settings, by: str, reason: str | None) -> Person:
    """An engineer, where the record in place knows one. One that cannot be read knows nobody, and
    must be mended all the same. Raises as `People.engineer`, and UsageError for an empty name."""
    if not by.strip():
        raise UsageError("--by: a name must not be empty")
    people = People(settings.station.name)
    with suppress(StoreError):
        for one in operators(settings.database, settings.station.name):
            people.note(one)
    return people.engineer(by, reason) or Person(by)


def _published(settings: Settings) -> tuple[Checkpoint, ...]:
    """What is kept elsewhere; a file that cannot be read is told and passed over: the record must
    be mended with or without it."""
    if settings.publish is None:
        return ()
    try:
        return read_published(settings.publish).checkpoints
    except NoCheckpoint as error:
        complain(error)
        return ()


def _furthest(published: Sequence[Checkpoint], station: str) -> Checkpoint | None:
    mine = [one for one in published if one.station == station and one.is_genuine()]
    return max(mine, key=lambda one: one.seq, default=None)


def _publish(signed: Checkpoint, to: Path) -> None:
    try:
        publish(signed, to, must_exist=True)
    except NotPublished as error:
        complain(error)


def _restored(done: Restored, path: Path, known: Checkpoint | None) -> list[str]:
    lines = [f"{path}: restored, {_rows(done.checked)}", *_heads(done.checked), *_unsigned(done)]
    if done.aside is not None:
        lines.append(f"the record that was in place is kept as {done.aside}")
    if done.before is None:
        lines.append("how far that one went cannot be read")
    for station, (seq, _) in sorted((done.before or {}).items()):
        kept, _ = done.checked.heads.get(station, (0, ""))
        if seq > kept:
            lines.append(f"{station}: links {kept + 1} to {seq} are in that one only")
    if known is not None:
        kept, _ = done.checked.heads.get(known.station, (0, ""))
        if known.seq > kept:
            lines.append(
                f"{known.station}: it had been signed up to link {known.seq}; "
                "`station audit verify` goes on saying what was lost"
            )
    return lines


def _unsigned(done: Restored) -> Iterator[str]:
    """A checkpoint is a row, so it is one link behind what it signs."""
    for station, (seq, _) in sorted(done.checked.heads.items()):
        signed_to = done.signed_to.get(station, 0)
        if seq > signed_to + 1:
            yield (
                f"{station}: links {signed_to + 1} to {seq} no trusted key had signed before: they "
                "may be anybody's"
            )


def _rows(checked: Verified) -> str:
    return f"{checked.rows} rows in {checked.links} links, all as they were written"


def _heads(checked: Verified) -> list[str]:
    return [
        f"{station}: link {seq}, {hash_[:16]}"
        for station, (seq, hash_) in sorted(checked.heads.items())
    ]
