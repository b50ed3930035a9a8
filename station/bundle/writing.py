"""A bundle made: each attempt is seen once, and kept in memory no longer than that."""

import csv
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from station.bundle.framing import DAWN, MODE
from station.bundle.manifest import LINES, MANIFEST, SIGNATURE, TABLE, File, Manifest, Signature
from station.durable import sync_folder
from station.errors import DiskTrouble
from station.seal.keys import PrivateKey

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Told:
    """An attempt as its line of JSON and its cells in the table."""

    line: str
    cells: Sequence[str]
    is_open: bool


class About(Protocol):
    """What is known once all attempts have been told."""

    def __call__(self, attempts: int, still_open: int, files: tuple[File, File]) -> Manifest: ...


def write_bundle(
    out: Path, columns: Sequence[str], attempts: Iterable[Told], about: About, key: PrivateKey
) -> Manifest:
    """A new file, whole and on the disk when this returns. Raises DiskTrouble; then there is no
    such file; whatever `attempts` raises, too."""
    with _new(out) as whole, ZipFile(whole, "w", ZIP_DEFLATED) as bundle:
        with tempfile.TemporaryFile(dir=out.parent) as table:
            lines, counted = _write_attempts(bundle, table, columns, attempts)
            table.seek(0)
            with member_of(bundle, TABLE) as member:
                shutil.copyfileobj(table, member, _PIECE)
        files = (lines.told(LINES, counted.all), counted.table.told(TABLE, counted.all))
        manifest = about(counted.all, counted.open, files)
        told = manifest.to_bytes()
        for name, content in (
            (MANIFEST, told),
            (SIGNATURE, Signature.of(told, key).to_bytes()),
        ):
            with member_of(bundle, name) as member:
                member.write(content)
    return manifest


@dataclass(slots=True)
class _Digested:
    """What went into a member."""

    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    length_bytes: int = 0

    def add(self, data: bytes) -> bytes:
        self.digest.update(data)
        self.length_bytes += len(data)
        return data

    def told(self, name: str, rows: int) -> File:
        return File.model_validate(
            {
                "name": name,
                "sha256": self.digest.hexdigest(),
                "bytes": self.length_bytes,
                "rows": rows,
            }
        )


@dataclass(slots=True)
class _Counted:
    table: _Digested = field(default_factory=_Digested)
    all: int = 0
    open: int = 0


def _write_attempts(
    bundle: ZipFile, table: IO[bytes], columns: Sequence[str], attempts: Iterable[Told]
) -> tuple[_Digested, _Counted]:
    """The lines into the bundle, the table into a file that passes: one member at a time."""
    lines, counted = _Digested(), _Counted()
    table.write(counted.table.add(_row(columns)))
    with member_of(bundle, LINES) as member:
        for told in attempts:
            member.write(lines.add(f"{told.line}\n".encode("ascii")))
            table.write(counted.table.add(_row(told.cells)))
            counted.all += 1
            counted.open += told.is_open
    return lines, counted


def _row(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8")


@contextmanager
def member_of(bundle: ZipFile, name: str) -> Iterator[IO[bytes]]:
    """`station.bundle.framing` knows each byte of this."""
    info = ZipInfo(name, DAWN)
    info.compress_type = ZIP_DEFLATED
    info.external_attr = MODE
    with bundle.open(info, "w", force_zip64=True) as member:
        yield member


@contextmanager
def _new(out: Path) -> Iterator[IO[bytes]]:
    """A file that has its name only once it is whole; no file is replaced."""
    try:
        number, made = tempfile.mkstemp(prefix=f"{out.name}.", suffix=".part", dir=out.parent)
        try:
            with os.fdopen(number, "wb") as file:
                yield file
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            os.link(made, out)
            sync_folder(out.parent)
        finally:
            Path(made).unlink()
    except FileExistsError as error:
        raise DiskTrouble(f"{out} is there already, and no file is replaced") from error
    except OSError as error:
        raise DiskTrouble(f"{out}: {error.strerror}") from error
