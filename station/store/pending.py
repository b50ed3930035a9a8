"""Results that could not be committed, on disk beside the database until they can be.

    <database>.pending/000007-<attempt>.json   one attempt, whole: a header line, a line of JSON
    <database>.pending/reserve                 room for some results on a disk that is full

A file is written under another name, synced and renamed: it is there whole or not at all. Its
number is the order of writing. What cannot be trusted is set aside under another ending, never
deleted. Everything here blocks on disk.
"""

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from station.durable import sync_folder
from station.errors import ResultSetAside
from station.model import AttemptRecord, Identifier
from station.store.database import sqlite_path
from station.store.schema import words

VERSION = 1
MAX_BYTES = 16 << 20
"""A result is some 100 kB, most of it recipe, plan and the package's list of files."""

ROOM_BYTES = 4 << 20
"""What the reserve keeps free: a tray of results."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO)
_MODE = 0o640
_NAME = re.compile(r"(\d{6,12})-([0-9a-f-]{36})\.json")


@dataclass(frozen=True, slots=True)
class Result:
    """All of an attempt that ended. `names` were read while it ran, those it was opened with
    are in its record."""

    record: AttemptRecord
    names: tuple[Identifier, ...] = ()

    @property
    def attempt_id(self) -> str:
        return self.record.opened.attempt_id


_SHAPE = TypeAdapter(Result)


def beside(url: str) -> Path | None:
    """The folder for this database; None for a server's, which has no place here."""
    path = sqlite_path(url)
    return None if path is None else path.with_name(path.name + ".pending")


def attempt_of(place: Path) -> str:
    """The attempt whose result lies there."""
    return place.stem.partition("-")[2]


class Pending:
    """The folder. `prepare` it before the disk is full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reserve = folder / "reserve"

    def prepare(self) -> None:
        """Make the folder and its reserve, remove what a power cut left half written; as far as
        the disk allows."""
        with suppress(OSError):
            self._make_folder()
            for draft in self.folder.glob("*.draft"):
                draft.unlink(missing_ok=True)
            if not self._reserve.exists():
                _fill(self._reserve, ROOM_BYTES)

    def write(self, number: int, result: Result) -> Path:
        """Durable when this returns. On a full disk the reserve is given up for it. Raises
        OSError: then nothing of it is left."""
        data = _encoded(result)
        place = self.folder / f"{number:06d}-{result.attempt_id}.json"
        try:
            self._place(place, data)
        except OSError as error:
            if error.errno not in _FULL or not self._reserve.exists():
                raise
            self._reserve.unlink()
            self._place(place, data)
        return place

    def files(self) -> dict[int, Path]:
        """The results here, by number. Raises OSError."""
        if not self.folder.exists():
            return {}
        named = ((_NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return {int(match[1]): path for match, path in named if match}

    def aside(self) -> tuple[Path, ...]:
        """What was set aside and is still here. Raises OSError."""
        found = self.folder.glob("*.json.*")
        return tuple(sorted(path for path in found if path.suffix != ".draft"))

    def read(self, place: Path) -> Result:
        """Raises ResultSetAside if the file is not as it was written, OSError."""
        try:
            with open(place, "rb", opener=_no_link) as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            if error.errno in _NO_FILE:
                raise ResultSetAside(f"{place} is no file") from None
            raise
        result = _decoded(place, data)
        if attempt_of(place) != result.attempt_id:
            raise ResultSetAside(f"{place} holds another attempt than its name says")
        return result

    def remove(self, place: Path) -> bool:
        """After its commit; whether it is gone. A file that stays is recognised as recorded another
        time."""
        try:
            place.unlink(missing_ok=True)
        except OSError:
            return False
        with suppress(OSError):
            sync_folder(self.folder)
        return True

    def set_aside(self, place: Path, ending: str) -> Path:
        """Keep it under another name, which nobody reads again by himself. Raises OSError."""
        free = next(p for p in _endings(place, ending) if not os.path.lexists(p))
        place.rename(free)
        sync_folder(self.folder)
        return free

    def _make_folder(self) -> None:
        """Its name, too, must outlive a power cut."""
        try:
            self.folder.mkdir(mode=0o750, parents=True)
        except FileExistsError:
            return
        sync_folder(self.folder.parent)

    def _place(self, place: Path, data: bytes) -> None:
        self._make_folder()
        draft = place.with_name(place.name + ".draft")
        try:
            with open(draft, "wb", opener=_private) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(place)
            sync_folder(self.folder)
        except OSError:
            for half in (draft, place):
                with suppress(OSError):
                    half.unlink()
            raise


# --- the bytes --------------------------------------------------------------------------------


def _encoded(result: Result) -> bytes:
    text = json.dumps(_SHAPE.dump_python(result, mode="json"), ensure_ascii=False, sort_keys=True)
    payload = words(text).encode()
    head = {"version": VERSION, "sha256": hashlib.sha256(payload).hexdigest()}
    return json.dumps(head).encode() + b"\n" + payload + b"\n"


def _decoded(place: Path, data: bytes) -> Result:
    """Bytes that anybody may have had a hand in."""
    head, _, rest = data.partition(b"\n")
    payload = rest.removesuffix(b"\n")
    try:
        told = json.loads(head)
        version, sha256 = told["version"], told["sha256"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise ResultSetAside(f"{place} does not begin as such a file does") from None
    if version != VERSION:
        raise ResultSetAside(f"{place} has the version {str(version)[:20]}, not {VERSION}")
    if len(data) > MAX_BYTES:
        raise ResultSetAside(f"{place} has more than {MAX_BYTES >> 20} MB")
    if hashlib.sha256(payload).hexdigest() != sha256:
        raise ResultSetAside(f"{place} was cut short or changed: its digest is another one")
    try:
        result = _SHAPE.validate_json(payload, strict=True)
    except ValidationError as error:
        raise ResultSetAside(f"{place} holds no result: {error.errors()[0]['msg']}") from None
    closed = result.record.closed
    if closed is None or closed.attempt_id != result.attempt_id:
        raise ResultSetAside(f"{place} holds an attempt without its verdict")
    return result


# --- the disk ---------------------------------------------------------------------------------


def _endings(place: Path, ending: str) -> Iterator[Path]:
    yield place.with_name(f"{place.name}.{ending}")
    number = 1
    while True:
        number += 1
        yield place.with_name(f"{place.name}.{ending}-{number}")


def _fill(place: Path, size_bytes: int) -> None:
    with open(place, "xb", opener=_private) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size_bytes)
        except OSError:
            place.unlink()
            raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
