"""The station's own copies of packages: read-only, each file kept once under its digest.

    <root>/objects/ab/ab12…        a file, named by its sha256
    <root>/packages/<sha256>.json  a package: its manifest, named by the manifest's digest
    <root>/incoming/<random>/      an `add` at work; swept by the next if its process is gone

A manifest is written last, so a package is in the store whole or not at all. Everything blocks
on disk and belongs in a worker thread; several threads and processes may share one store.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from station.durable import sync_folder
from station.errors import DiskTrouble, FileChanged, PackageIncomplete, PackageMissing
from station.firmware.manifest import Manifest, decode_manifest, is_sha256
from station.firmware.package import examine
from station.firmware.paths import shown
from station.firmware.release import Release, open_release, package_name
from station.firmware.stored import StoredPackage, open_object
from station.model import FileRef

_MAX_MANIFEST_BYTES = 16 << 20
_READ_ONLY = 0o444
_CLAIMS = 100


class PackageStore:
    """A folder of packages; made by the first `add`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, path: Path, warn: Callable[[str], object] = lambda _: None) -> Manifest:
        """Check the release at `path` (folder or ZIP archive) and keep a copy of every file.

        `warn` is told what a person should know although the package passed: extra files.
        Files that are here and whole are not written again, damaged ones are replaced. A package
        known under another name keeps that name. Raises as `station.firmware.package.check`, and
        DiskTrouble; after an error no part of the package shows.
        """
        with open_release(path) as release:
            report = examine(release)
            manifest = report.manifest
            for warning in report.warnings:
                warn(warning)
            with _disk(self.root):
                wanted = {file.sha256: file for file in manifest.files}
                absent = [file for file in wanted.values() if not self._is_whole(file)]
                self._require_room(absent)
                with self._incoming() as folder:
                    for file in absent:
                        _copy(release, file, folder / file.sha256)
                    for file in absent:
                        _place(folder / file.sha256, self._object(file))
                    return self._publish(manifest, folder)

    def list(self) -> tuple[Manifest, ...]:
        """Every package, by name. Raises FileChanged, DiskTrouble."""
        with _disk(self.root):
            digests = [path.stem for path in (self.root / "packages").glob("*.json")]
        manifests = (self._load(sha256) for sha256 in digests if is_sha256(sha256))
        return tuple(sorted(manifests, key=lambda manifest: (manifest.name, manifest.sha256)))

    def find(self, key: str) -> Manifest:
        """The package with this digest or name (`.zip` and the folders before it are ignored).

        Raises PackageMissing, also when the name alone means several.
        """
        if is_sha256(key.lower()):
            return self._load(key.lower())
        name = package_name(Path(key))
        found = [manifest for manifest in self.list() if manifest.name == name]
        match found:
            case [one]:
                return one
            case []:
                raise PackageMissing(f"no package {name!r} in the store {self.root}")
            case _:
                digests = ", ".join(manifest.sha256 for manifest in found)
                raise PackageMissing(f"{name!r} names several packages, give a sha256: {digests}")

    def open(self, sha256: str) -> StoredPackage:
        """Open every file of a package and verify it once; to be closed by the caller.

        Raises PackageMissing, FileChanged naming the file, DiskTrouble.
        """
        manifest = self._load(sha256)
        return StoredPackage(manifest, {file.path: self._object(file) for file in manifest.files})

    # --- the parts of the disk ----------------------------------------------------------------

    def _object(self, file: FileRef) -> Path:
        return self.root / "objects" / file.sha256[:2] / file.sha256

    def _package(self, sha256: str) -> Path:
        return self.root / "packages" / f"{sha256}.json"

    def _load(self, sha256: str) -> Manifest:
        place = self._package(sha256)
        missing = PackageMissing(f"no package {shown(sha256)} in the store {self.root}")
        if not is_sha256(sha256):
            raise missing
        with _disk(place):
            try:
                with place.open("rb") as file:
                    data = file.read(_MAX_MANIFEST_BYTES)
            except FileNotFoundError:
                raise missing from None
        return decode_manifest(data, sha256)

    def _is_whole(self, file: FileRef) -> bool:
        try:
            file_fd, _ = open_object(self._object(file), file)
        except FileChanged:
            return False
        os.close(file_fd)
        return True

    # --- adding -------------------------------------------------------------------------------

    def _require_room(self, files: Sequence[FileRef]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        wanted_bytes = sum(file.length_bytes for file in files)
        free_bytes = shutil.disk_usage(self.root).free
        if wanted_bytes > free_bytes:
            raise DiskTrouble(f"{self.root}: {wanted_bytes} bytes wanted, {free_bytes} free")

    @contextmanager
    def _incoming(self) -> Iterator[Path]:
        """A folder of our own on the same disk. Its lock tells others that we are alive."""
        above = self.root / "incoming"
        above.mkdir(exist_ok=True)
        _sweep(above)
        folder, lock_fd = _claim_folder(above)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock_fd)

    def _publish(self, manifest: Manifest, folder: Path) -> Manifest:
        with suppress(PackageMissing, FileChanged):
            return self._load(manifest.sha256)
        draft = folder / "manifest"
        with _new_file(draft) as file_fd:
            _write(file_fd, manifest.encode())
        _place(draft, self._package(manifest.sha256))
        return manifest


def _copy(release: Release, file: FileRef, target: Path) -> None:
    """Copy the very bytes that were checked, or none. Raises PackageIncomplete."""
    sha256 = hashlib.sha256()
    with _new_file(target) as file_fd:
        for chunk in release.stream(file.path):
            sha256.update(chunk)
            _write(file_fd, chunk)
    if sha256.hexdigest() != file.sha256:
        raise PackageIncomplete(f"{release.place}: {file.path} changed while it was copied")


def _write(file_fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file_fd, rest) :]


@contextmanager
def _new_file(path: Path) -> Iterator[int]:
    """A file that is on the disk, and read-only, when the block ends."""
    file_fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield file_fd
        os.fchmod(file_fd, _READ_ONLY)
        os.fsync(file_fd)
    finally:
        os.close(file_fd)


def _place(draft: Path, target: Path) -> None:
    """Give a finished file its name, durably."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(target)
    for folder in (target.parent, target.parent.parent):
        sync_folder(folder)


def _sweep(above: Path) -> None:
    """Remove what a killed `add` left behind: folders that nobody holds the lock of."""
    for folder in above.iterdir():
        with suppress(BlockingIOError, FileNotFoundError, NotADirectoryError):
            lock_fd = _lock_folder(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock_fd)


def _claim_folder(above: Path) -> tuple[Path, int]:
    """A new folder and its lock. Another process may sweep it before it is locked: try again."""
    for _ in range(_CLAIMS):
        folder = Path(tempfile.mkdtemp(dir=above))
        with suppress(BlockingIOError, FileNotFoundError):
            lock_fd = _lock_folder(folder)
            if folder.exists():
                return folder, lock_fd
            os.close(lock_fd)
    raise DiskTrouble(f"{above}: folders vanish as soon as they are made")


def _lock_folder(folder: Path) -> int:
    """A descriptor that holds the lock until it is closed. Raises BlockingIOError if taken."""
    lock_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock_fd)
        raise
    return lock_fd


@contextmanager
def _disk(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskTrouble(f"{place}: {error.strerror or error}") from error
