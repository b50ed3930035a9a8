"""The folder of evidence: files by digest, and spools of attempts under way.

    <root>/ab/ab12….jsonl.gz        a transcript, named by the sha256 of this very file
    <root>/cd/cd34….bin.gz          EFS2 as it was read out of a module, named the same way
    <root>/open/<attempt>.jsonl     what an attempt heard so far; adopted if its engine dies, and
                                    left for a week where it cannot be kept
    <root>/open/<attempt>.bin.gz    what it has read out so far, packed already

A file is on the disk before its row is committed; one without a row is harmless. No link inside
the folder is followed. Everything blocks on disk and belongs in a worker thread.
"""

import gzip
import hashlib
import os
import re
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from station.durable import sync_folder
from station.errors import DiskTrouble, EvidenceDamaged, EvidenceMissing, EvidenceNotKept
from station.evidence.transcript import HEAD_BYTES, TAIL_BYTES
from station.model import EvidenceRef

TRANSCRIPT, EFS2 = "transcript", "efs2"

MAX_BYTES = 2 * (HEAD_BYTES + TAIL_BYTES)
"""No transcript is longer, unpacked; whatever is did not come from here."""

MAX_DUMP_BYTES = 64 << 20
"""Nor any EFS2; the largest known has 23 MB."""

ORPHAN_S = 7 * 86_400
"""A spool so old belongs to no attempt that runs, and to none that an engine will ask for. One that
could not be kept can be read so long."""

_OPEN = "open"
_SPOOL = {TRANSCRIPT: "jsonl", EFS2: "bin.gz"}
_KEPT = {TRANSCRIPT: "jsonl.gz", EFS2: "bin.gz"}
_LIMIT_BYTES = {TRANSCRIPT: MAX_BYTES, EFS2: MAX_DUMP_BYTES}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Cabinet:
    """Made with its folder by the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # --- attempts under way -------------------------------------------------------------------

    def spool(self, attempt_id: str, data: bytes, kind: str = TRANSCRIPT) -> None:
        """Append; not yet safe from a power cut. Raises EvidenceNotKept."""
        with self._trouble(), self._folder(_OPEN, make=True) as folder_fd:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            with _opened(_spool_name(attempt_id, kind), flags, folder_fd) as file_fd:
                _write(file_fd, data)

    def adopt(self, attempt_id: str) -> EvidenceRef | None:
        """Keep what a dead engine had spooled of an attempt; None if that is nothing. Raises
        EvidenceNotKept: the spool is as it was."""
        spooled = self.spooled(attempt_id)
        return self.put(spooled) if spooled else None

    def spooled(self, attempt_id: str) -> bytes:
        """What an attempt under way has spooled so far, or one whose transcript could not be kept:
        whole lines only; empty if nothing. Raises EvidenceNotKept for what cannot be read."""
        with (
            self._trouble(),
            suppress(FileNotFoundError),
            self._folder(_OPEN) as folder_fd,
            _opened(_spool_name(attempt_id), os.O_RDONLY, folder_fd) as file_fd,
        ):
            data = _read(file_fd, MAX_BYTES)
            return data[: data.rfind(b"\n") + 1]
        return b""

    def drop(self, attempt_id: str, *kinds: str) -> None:
        """The attempt's row is committed, and what it names is kept: its spools (all, or of these
        kinds) may go."""
        for kind in kinds or _SPOOL:
            with suppress(OSError), self._folder(_OPEN) as folder_fd:
                os.unlink(_spool_name(attempt_id, kind), dir_fd=folder_fd)

    def sweep(self) -> None:
        """Remove spools that nobody will ask for any more."""
        with (
            suppress(OSError),
            self._folder(_OPEN) as folder_fd,
            os.scandir(folder_fd) as found,
        ):
            for file in found:
                if time.time() - file.stat(follow_symlinks=False).st_mtime > ORPHAN_S:
                    os.unlink(file.name, dir_fd=folder_fd)

    # --- kept files ---------------------------------------------------------------------------

    def put(self, transcript: bytes) -> EvidenceRef:
        """Keep a transcript; it is on the disk when this returns. Raises EvidenceNotKept."""
        packed = gzip.compress(transcript, mtime=0)
        sha256 = hashlib.sha256(packed).hexdigest()
        ref = EvidenceRef(TRANSCRIPT, sha256, len(transcript), len(packed))
        with self._trouble(), self._folder(_OPEN, make=True) as drafts_fd:
            with _draft(f"{sha256}.draft", drafts_fd) as file_fd:
                _write(file_fd, packed)
                os.fsync(file_fd)
            self._file_away(f"{sha256}.draft", drafts_fd, ref)
        return ref

    def keep_spooled(self, attempt_id: str, ref: EvidenceRef) -> None:
        """Keep a spool that is whole and packed; on the disk when this returns.

        Raises EvidenceNotKept, also for a spool that does not have the length of `ref`.
        """
        name = _spool_name(attempt_id, ref.kind)
        with self._trouble(), self._folder(_OPEN) as spools_fd:
            with _opened(name, os.O_RDONLY, spools_fd) as file_fd:
                if (found := os.fstat(file_fd).st_size) != ref.stored_bytes:
                    raise EvidenceNotKept(f"{name} has {found} bytes, not {ref.stored_bytes}")
                os.fsync(file_fd)
            self._file_away(name, spools_fd, ref)

    def read(self, ref: EvidenceRef) -> bytes:
        """The file unpacked, its digest checked before that.

        Raises EvidenceMissing, EvidenceDamaged.
        """
        name, limit_bytes = _file_name(ref), _LIMIT_BYTES[ref.kind]
        place = self.root / ref.sha256[:2] / name
        try:
            with (
                self._folder(ref.sha256[:2]) as folder_fd,
                _opened(name, os.O_RDONLY, folder_fd) as file_fd,
            ):
                packed = _read(file_fd, limit_bytes)
        except FileNotFoundError:
            raise EvidenceMissing(f"{place}: there is no such file") from None
        except OSError as error:
            raise EvidenceMissing(f"{place}: {error.strerror or error}") from error
        found = hashlib.sha256(packed).hexdigest()
        if found != ref.sha256:
            raise EvidenceDamaged(f"{place}: its bytes have the digest {found}")
        return unpack(packed, str(place), limit_bytes)

    def kept_utc_us(self, ref: EvidenceRef) -> int | None:
        """When these bytes were kept last, microseconds since the epoch; None: they are not here.

        Attempts that keep the same bytes name one file, and each puts it there anew.
        """
        with suppress(OSError, EvidenceDamaged):
            name = _file_name(ref)
            with self._folder(ref.sha256[:2]) as folder_fd:
                state = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
                return state.st_mtime_ns // 1000
        return None

    def remove(self, ref: EvidenceRef) -> None:
        """Delete the file; one that is gone is well. Raises DiskTrouble, EvidenceDamaged."""
        name = _file_name(ref)
        try:
            with self._folder(ref.sha256[:2]) as folder_fd:
                os.unlink(name, dir_fd=folder_fd)
        except FileNotFoundError:
            return
        except OSError as error:
            place = self.root / ref.sha256[:2] / name
            raise DiskTrouble(f"{place} cannot be deleted: {error.strerror or error}") from error

    # --- folders ------------------------------------------------------------------------------

    @contextmanager
    def _folder(self, name: str, *, make: bool = False) -> Iterator[int]:
        if make:
            self.root.mkdir(mode=0o750, parents=True, exist_ok=True)
        root_fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o750, dir_fd=root_fd)
            folder_fd = os.open(name, _FOLDER, dir_fd=root_fd)
        finally:
            os.close(root_fd)
        try:
            yield folder_fd
        finally:
            os.close(folder_fd)

    def _file_away(self, name: str, from_fd: int, ref: EvidenceRef) -> None:
        with self._folder(ref.sha256[:2], make=True) as folder_fd:
            os.rename(name, _file_name(ref), src_dir_fd=from_fd, dst_dir_fd=folder_fd)
            os.fsync(folder_fd)
        sync_folder(self.root)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EvidenceNotKept(f"{self.root}: {error.strerror or error}") from error


def unpack(packed: bytes, place: str, limit_bytes: int = MAX_BYTES) -> bytes:
    """One whole gzip member of at most `limit_bytes`, nothing behind it. Raises EvidenceDamaged."""
    inflate = zlib.decompressobj(wbits=31)
    try:
        data = inflate.decompress(packed, limit_bytes + 1)
    except zlib.error as error:
        raise EvidenceDamaged(f"{place}: it is no gzip file ({error})") from None
    if len(data) > limit_bytes:
        raise EvidenceDamaged(f"{place}: it unpacks to more than {limit_bytes} bytes")
    if not inflate.eof:
        raise EvidenceDamaged(f"{place}: it ends too early")
    if inflate.unused_data:
        raise EvidenceDamaged(f"{place}: something follows its end")
    return data


def _spool_name(attempt_id: str, kind: str = TRANSCRIPT) -> str:
    if not _ATTEMPT.fullmatch(attempt_id):
        raise EvidenceNotKept(f"{attempt_id[:80]!r} is no attempt's name")
    return f"{attempt_id}.{_SPOOL[kind]}"


def _file_name(ref: EvidenceRef) -> str:
    """Raises EvidenceDamaged for what no file here is called: a record can be forged."""
    if not _SHA256.fullmatch(ref.sha256):
        raise EvidenceDamaged(f"the record names a file {ref.sha256[:80]!r}, which is no digest")
    if ref.kind not in _KEPT:
        raise EvidenceDamaged(f"the record names evidence of kind {ref.kind[:80]!r}")
    return f"{ref.sha256}.{_KEPT[ref.kind]}"


@contextmanager
def _opened(name: str, flags: int, folder_fd: int) -> Iterator[int]:
    """A plain file, never a link, a pipe or a device: opening those may block for ever."""
    safe = flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file_fd = os.open(name, safe, 0o640, dir_fd=folder_fd)
    try:
        if not stat.S_ISREG(os.fstat(file_fd).st_mode):
            raise OSError(0, "it is not a plain file")
        yield file_fd
    finally:
        os.close(file_fd)


@contextmanager
def _draft(name: str, folder_fd: int) -> Iterator[int]:
    """A new file that leaves no half of itself on a full disk."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder_fd)
    try:
        with _opened(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder_fd) as file_fd:
            yield file_fd
    except BaseException:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder_fd)
        raise


def _read(file_fd: int, limit_bytes: int) -> bytes:
    """Everything up to a limit; the rest is not looked at."""
    data = bytearray()
    while len(data) < limit_bytes and (some := os.read(file_fd, limit_bytes - len(data))):
        data += some
    return bytes(data)


def _write(file_fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file_fd, rest) :]
