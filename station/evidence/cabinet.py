"""The folder of evidence: files by digest, and spools of attempts under way.

    <root>/ab/ab12….jsonl.gz        a transcript, named by the sha256 of this very file
    <root>/open/<attempt>.jsonl     what an attempt heard so far; adopted if its engine dies

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

from station.errors import EvidenceDamaged, EvidenceMissing, EvidenceNotKept
from station.evidence.transcript import HEAD_BYTES, TAIL_BYTES
from station.model import EvidenceRef

TRANSCRIPT = "transcript"

MAX_BYTES = 2 * (HEAD_BYTES + TAIL_BYTES)
"""No transcript is longer, unpacked; whatever is did not come from here."""

ORPHAN_S = 7 * 86_400
"""A spool so old belongs to no attempt that runs, and to none that an engine will ask for."""

_OPEN = "open"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Cabinet:
    """Made with its folder by the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # --- attempts under way -------------------------------------------------------------------

    def spool(self, attempt_id: str, data: bytes) -> None:
        """Append; not yet safe from a power cut. Raises EvidenceNotKept."""
        with self._trouble(), self._folder(_OPEN, make=True) as folder_fd:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            with _opened(_spool_name(attempt_id), flags, folder_fd) as file_fd:
                _write(file_fd, data)

    def adopt(self, attempt_id: str) -> EvidenceRef | None:
        """Keep what a dead engine had spooled of an attempt; None if there is nothing usable."""
        with suppress(EvidenceNotKept):
            spooled = self.spooled(attempt_id)
            return self.put(spooled) if spooled else None
        return None

    def spooled(self, attempt_id: str) -> bytes:
        """What an attempt under way has spooled so far, whole lines only; empty if nothing."""
        with (
            suppress(OSError, EvidenceNotKept),
            self._folder(_OPEN) as folder_fd,
            _opened(_spool_name(attempt_id), os.O_RDONLY, folder_fd) as file_fd,
        ):
            data = _read(file_fd, MAX_BYTES)
            return data[: data.rfind(b"\n") + 1]
        return b""

    def drop(self, attempt_id: str) -> None:
        """The attempt's row is committed: its spool is needed no more."""
        with suppress(OSError), self._folder(_OPEN) as folder_fd:
            os.unlink(_spool_name(attempt_id), dir_fd=folder_fd)

    def sweep(self) -> None:
        """Remove spools of attempts that never came into the record."""
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
        with (
            self._trouble(),
            self._folder(_OPEN, make=True) as drafts_fd,
            self._folder(sha256[:2], make=True) as folder_fd,
        ):
            with _draft(f"{sha256}.draft", drafts_fd) as file_fd:
                _write(file_fd, packed)
                os.fsync(file_fd)
            os.rename(
                f"{sha256}.draft", _file_name(sha256), src_dir_fd=drafts_fd, dst_dir_fd=folder_fd
            )
            os.fsync(folder_fd)
            _sync_root(self.root)
        return EvidenceRef(TRANSCRIPT, sha256, len(transcript), len(packed))

    def read(self, ref: EvidenceRef) -> bytes:
        """The transcript, its digest checked before it is unpacked.

        Raises EvidenceMissing, EvidenceDamaged.
        """
        if not _SHA256.fullmatch(ref.sha256):
            raise EvidenceDamaged(
                f"the record names a file {ref.sha256[:80]!r}, which is no digest"
            )
        place = self.root / ref.sha256[:2] / _file_name(ref.sha256)
        try:
            with (
                self._folder(ref.sha256[:2]) as folder_fd,
                _opened(_file_name(ref.sha256), os.O_RDONLY, folder_fd) as file_fd,
            ):
                packed = _read(file_fd, MAX_BYTES)
        except FileNotFoundError:
            raise EvidenceMissing(f"{place}: there is no such file") from None
        except OSError as error:
            raise EvidenceMissing(f"{place}: {error.strerror or error}") from error
        found = hashlib.sha256(packed).hexdigest()
        if found != ref.sha256:
            raise EvidenceDamaged(f"{place}: its bytes have the digest {found}")
        return unpack(packed, str(place))

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

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EvidenceNotKept(f"{self.root}: {error.strerror or error}") from error


def unpack(packed: bytes, place: str) -> bytes:
    """One whole gzip member of at most MAX_BYTES, nothing behind it. Raises EvidenceDamaged."""
    inflate = zlib.decompressobj(wbits=31)
    try:
        data = inflate.decompress(packed, MAX_BYTES + 1)
    except zlib.error as error:
        raise EvidenceDamaged(f"{place}: it is no gzip file ({error})") from None
    if len(data) > MAX_BYTES:
        raise EvidenceDamaged(f"{place}: it unpacks to more than {MAX_BYTES} bytes")
    if not inflate.eof:
        raise EvidenceDamaged(f"{place}: it ends too early")
    if inflate.unused_data:
        raise EvidenceDamaged(f"{place}: something follows its end")
    return data


def _spool_name(attempt_id: str) -> str:
    if not _ATTEMPT.fullmatch(attempt_id):
        raise EvidenceNotKept(f"{attempt_id[:80]!r} is no attempt's name")
    return f"{attempt_id}.jsonl"


def _file_name(sha256: str) -> str:
    return f"{sha256}.jsonl.gz"


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


def _sync_root(root: Path) -> None:
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(root_fd)
    finally:
        os.close(root_fd)
