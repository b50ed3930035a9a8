"""Is a bundle what a station made? Says the first thing that is not; needs nothing but the file.

The signature is looked at before the attempts, and every size before a byte is unpacked.
"""

import csv
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

from station.bundle.framing import check_framing
from station.bundle.manifest import (
    LINES,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MAX_SIGNATURE_BYTES,
    MEMBERS,
    SIGNATURE,
    TABLE,
    File,
    Manifest,
    Signature,
    SignedUpTo,
    parse,
)
from station.errors import BadBundle, PackageHostile
from station.firmware.archive import ArchiveFile, scan_zip
from station.firmware.members import Limits, Member, gather
from station.seal.checkpoint import Checkpoint

LIMITS = Limits(members=len(MEMBERS), total_bytes=256 << 30, ratio=1000)
MAX_LINE_BYTES = 8 << 20
_PIECE = 1 << 20

_WANTED = ("attempt_id", "slot", "outcome", "unit", "started_utc", "steps")
"""Without these a line is no attempt."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`public_key`: whose signature it is; whether that is the station's is asked elsewhere."""

    manifest: Manifest
    public_key: str


def check_bundle(path: Path, trusted: frozenset[str] = frozenset()) -> Checked:
    """`trusted`: public keys, 64 hex digits; if there are any, one of them must have signed.
    Raises BadBundle with the first thing that is wrong."""
    with _opened(path) as members:
        told = _small(members[MANIFEST], MAX_MANIFEST_BYTES)
        signature = parse(Signature, _small(members[SIGNATURE], MAX_SIGNATURE_BYTES), SIGNATURE)
        if trusted and signature.public_key not in trusted:
            raise BadBundle(f"it was signed with another key: {signature.public_key}")
        if not signature.is_of(told):
            raise BadBundle(f"{SIGNATURE} is not the signature of {MANIFEST}")
        manifest = parse(Manifest, told, MANIFEST)
        _check_words(manifest)
        lines, table = manifest.files
        for file in (lines, table):
            _check_digest(file, members[file.name])
        _check_attempts(manifest, members)
    return Checked(manifest, signature.public_key)


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, Member]]:
    try:
        with ArchiveFile(path) as file:
            archive = ZipFile(file)
            members = gather(str(path), scan_zip(str(path), archive, LIMITS), LIMITS)
            if tuple(members) != MEMBERS:
                named = ", ".join(map(ascii, members))[:200]
                raise BadBundle(f"{path} holds {named or 'nothing'}, not {', '.join(MEMBERS)}")
            check_framing(file, archive.infolist())
            yield members
    except PackageHostile as error:
        raise BadBundle(error.cause) from error
    except OSError as error:
        raise BadBundle(f"{path}: {error.strerror or error}") from error
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise BadBundle(f"{path} is no sound ZIP archive: {str(error)[:200]}") from error


def _stream(member: Member) -> IO[bytes]:
    if member.open is None:
        raise BadBundle(f"{member.path} is a folder")
    return member.open()


def _small(member: Member, most_bytes: int) -> bytes:
    with _stream(member) as stream:
        found = stream.read(most_bytes + 1)
    if len(found) > most_bytes:
        raise BadBundle(f"{member.path} is longer than {most_bytes} bytes")
    return found


def _check_words(manifest: Manifest) -> None:
    """What it says of itself agrees."""
    if tuple(file.name for file in manifest.files) != (LINES, TABLE):
        raise BadBundle(f"{MANIFEST} tells of other files than {LINES} and {TABLE}")
    for file in manifest.files:
        if file.rows != manifest.attempts:
            raise BadBundle(f"{MANIFEST}: {file.rows} rows of {manifest.attempts} in {file.name}")
    heads = {head.station: head for head in manifest.heads}
    for signed in manifest.checkpoints:
        if not _checkpoint(signed).is_genuine():
            raise BadBundle(f"{MANIFEST}: the checkpoint of link {signed.seq} is not genuine")
        head = heads.get(signed.station)
        if head is None or head.seq < signed.seq:
            raise BadBundle(f"{MANIFEST}: the chain ends before its checkpoint {signed.seq}")


def _checkpoint(signed: SignedUpTo) -> Checkpoint:
    return Checkpoint(**signed.model_dump())


def _check_digest(file: File, member: Member) -> None:
    digest, length_bytes = hashlib.sha256(), 0
    with _stream(member) as stream:
        while piece := stream.read(_PIECE):
            length_bytes += len(piece)
            if length_bytes > file.bytes:
                break
            digest.update(piece)
    if length_bytes != file.bytes:
        more = "more" if length_bytes > file.bytes else "fewer"
        raise BadBundle(f"{file.name} has {more} than its {file.bytes} bytes")
    if digest.hexdigest() != file.sha256:
        raise BadBundle(f"{file.name} is not the file that was signed: its digest differs")


# --- attempts ---------------------------------------------------------------------------------


def _check_attempts(manifest: Manifest, members: Mapping[str, Member]) -> None:
    """Each line is an attempt, in the order in which they began, and each row is its line's."""
    rows = still_open = 0
    before = ""
    with _stream(members[LINES]) as lines, _stream(members[TABLE]) as table:
        cells = _ids_of_table(table)
        for number, line in enumerate(_lines(lines, LINES), 1):
            attempt_id, is_open = _attempt(line, f"{LINES}, line {number}")
            if attempt_id <= before:
                raise BadBundle(f"{LINES}, line {number}: {attempt_id} is out of order")
            if next(cells, None) != attempt_id:
                raise BadBundle(f"{TABLE}, row {number} is not the one of {attempt_id}")
            before = attempt_id
            rows += 1
            still_open += is_open
        if next(cells, None) is not None:
            raise BadBundle(f"{TABLE} has more rows than {LINES}")
    if (rows, still_open) != (manifest.attempts, manifest.open):
        raise BadBundle(
            f"{LINES} holds {rows} attempts, {still_open} of them open; "
            f"{MANIFEST} says {manifest.attempts} and {manifest.open}"
        )


def _attempt(line: bytes, place: str) -> tuple[str, bool]:
    """Its id, and whether it has no end."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadBundle(f"{place} is not JSON: {str(error)[:200]}") from error
    missing = [name for name in _WANTED if not isinstance(told, dict) or name not in told]
    if missing:
        raise BadBundle(f"{place} is no whole attempt: {missing[0]} is missing")
    attempt_id = told["attempt_id"]
    if not isinstance(attempt_id, str) or len(attempt_id) != 36 or not attempt_id.isascii():
        raise BadBundle(f"{place}: its attempt_id is none")
    return attempt_id, told["outcome"] is None


def _lines(stream: IO[bytes], name: str) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if not line.endswith(b"\n"):
            long = len(line) > MAX_LINE_BYTES
            what = f"longer than {MAX_LINE_BYTES} bytes" if long else "cut off"
            raise BadBundle(f"{name}, line {number} is {what}")
        yield line


def _ids_of_table(stream: IO[bytes]) -> Iterator[str]:
    """The first cell of each row. A cell may go over lines, a row over `MAX_LINE_BYTES` not."""
    taken_bytes = 0

    def text() -> Iterator[str]:
        nonlocal taken_bytes
        for line in _lines(stream, TABLE):
            taken_bytes += len(line)
            if taken_bytes > MAX_LINE_BYTES:
                raise BadBundle(f"{TABLE} has a row of more than {MAX_LINE_BYTES} bytes")
            yield line.decode("utf-8")

    try:
        rows = csv.reader(text(), strict=True)
        header = next(rows, [])
        if header[:1] != ["attempt_id"]:
            raise BadBundle(f"{TABLE} has no header that begins with attempt_id")
        for row in rows:
            taken_bytes = 0
            if len(row) != len(header):
                raise BadBundle(f"{TABLE}: the row of {row[:1]!a} is not whole")
            yield row[0]
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadBundle(f"{TABLE} is no table: {str(error)[:200]}") from error
