"""What a package consists of: every file in it with its length and digest.

Everything below the package's root belongs, listed in md5.txt or not, so that an auditor can
rebuild the package from the store, byte for byte. The digest of the manifest is the sha256 of

    [["contents.xml",1234,"<sha256>"],["md5.txt",...],...]

as JSON: rows sorted by path (by code point), no white space, UTF-8 without escapes for it. Name,
times and modes are no part of it: the same files as folder or ZIP archive give the same digest.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property

from station.errors import FileChanged, PackageIncomplete
from station.firmware.paths import Paths
from station.model import FileRef, PackageRef

_SHA256 = re.compile("[0-9a-f]{64}")


def is_sha256(text: str) -> bool:
    return _SHA256.fullmatch(text) is not None


@dataclass(frozen=True)
class Manifest:
    """The files of a package, sorted by path."""

    name: str
    files: tuple[FileRef, ...]

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(_canonical(_rows(self.files))).hexdigest()

    @property
    def ref(self) -> PackageRef:
        return PackageRef(self.name, self.sha256, self.files)

    @cached_property
    def paths(self) -> Paths:
        return Paths(file.path for file in self.files)

    def file(self, path: str) -> FileRef:
        """The file meant by a package path (see `Paths.locate`). Raises PackageIncomplete."""
        found = self.paths.locate(path)
        if found is None:
            raise PackageIncomplete(f"{self.name}: {path} is not in the package")
        return self._by_path[found]

    @cached_property
    def _by_path(self) -> dict[str, FileRef]:
        return {file.path: file for file in self.files}

    def encode(self) -> bytes:
        return _canonical({"name": self.name, "files": _rows(self.files)})


def decode_manifest(data: bytes, sha256: str) -> Manifest:
    """The manifest stored under this digest. Raises FileChanged if it is not that one."""
    try:
        document = json.loads(data)
        files = tuple(_file(*row) for row in document["files"])
        manifest = Manifest(str(document["name"]), files)
        is_this_one = manifest.sha256 == sha256
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise FileChanged(f"the manifest of package {sha256} is damaged: {error}") from error
    if not is_this_one:
        raise FileChanged(f"the manifest of package {sha256} is damaged: it describes another")
    return manifest


def _file(path: object, length_bytes: object, sha256: object) -> FileRef:
    match path, sha256, length_bytes:
        case str(), str(), int() if is_sha256(sha256):
            return FileRef(path, sha256, length_bytes)
        case _:
            raise TypeError("a row is not [path, length, sha256]")


def _rows(files: tuple[FileRef, ...]) -> list[list[str | int]]:
    ordered = sorted(files, key=lambda file: file.path)
    return [[file.path, file.length_bytes, file.sha256] for file in ordered]


def _canonical(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
