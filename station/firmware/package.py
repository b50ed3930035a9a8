"""A Quectel release: what is where in it, and whether all of it is there and sound.

    <package>/md5.txt
    <package>/contents.xml
    <package>/update/*.mbn *.ubi *.img
    <package>/update/firehose/prog_nand_firehose_9x07.mbn | prog_firehose_sdx55.mbn | …
                              rawprogram_nand_p2K_b128K_update.xml
                              partition_complete_p2K_b128K.mbn, patch_p2K_b128K.xml

A factory package has a `_factory` rawprogram and writes cefs.mbn over EFS2, where calibration
and IMEI live: it is refused. Ref: public EG25-G and RM500Q releases; QFirehose qfirehose.c.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from station.errors import FactoryPackage, PackageIncomplete
from station.firmware.manifest import Manifest
from station.firmware.md5list import MAX_MD5_LIST_BYTES, MD5_LIST, parse_md5_list
from station.firmware.paths import Paths, resolve
from station.firmware.rawprogram import check_patch, parse_rawprogram
from station.firmware.release import Release, open_release
from station.model import FileRef

__all__ = ["CheckReport", "PackageLayout", "check", "examine", "inspect", "resolve"]

MAX_XML_BYTES = 1 << 20

_FIREHOSE = "update/firehose"
_PROGRAMMER = ("prog_nand_firehose_*.mbn", "prog_firehose_*.mbn", "firehose-prog*.mbn")
_RAWPROGRAM = ("rawprogram_*.xml", "rawprogram[0-9]*.xml", "firehose-rawprogram*.xml")
_PATCH = ("patch_*.xml", "patch-*.xml", "patch[0-9]*.xml")
_PARTITION_TABLE = ("partition_complete_*.mbn",)
_FACTORY = re.compile(r"(?<![a-z])factory(?![a-z])")
_GEOMETRY = re.compile(r"p\d+k_b\d+k")
_NEVER_LISTED = (MD5_LIST, "contents.xml")
_NEVER_SHIPPED = "upgrade/targetfiles.zip"
"""md5.txt may list it, releases do not have it."""


class HasFiles(Protocol):
    """A release where it lies, or a package in the store."""

    @property
    def name(self) -> str: ...

    @property
    def paths(self) -> Paths: ...


@dataclass(frozen=True, slots=True)
class PackageLayout:
    """Package paths of the files that steer a flash."""

    programmer: str
    rawprogram: str
    partition_table: str | None
    patches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """A package that passed, and what a person should know about it all the same."""

    manifest: Manifest
    layout: PackageLayout
    warnings: tuple[str, ...]


def check(path: Path) -> CheckReport:
    """Check the release at `path`, storing nothing. Raises as `examine` and `open_release`."""
    with open_release(path) as release:
        return examine(release)


def examine(release: Release) -> CheckReport:
    """Read every byte of the release and hold it against md5.txt and the rawprogram.

    Raises PackageIncomplete naming the files, FactoryPackage, PackageHostile,
    RawprogramInvalid, DiskTrouble.
    """
    _refuse_factory_name(release)
    read = _Remembered(release)
    listed = _listed_files(release, parse_md5_list(read(MD5_LIST, MAX_MD5_LIST_BYTES)))
    layout = inspect(release)
    commands = parse_rawprogram(read(layout.rawprogram, MAX_XML_BYTES), layout.rawprogram)
    require_files(release.paths, layout.rawprogram, commands.files)
    for patch in layout.patches:
        check_patch(read(patch, MAX_XML_BYTES), patch)
    files = tuple(_measure(release, path, listed.get(path)) for path in release.paths)
    manifest = Manifest(release.name, files)
    read.require_unchanged(manifest)
    return CheckReport(manifest, layout, _warnings(release, listed, layout))


def inspect(files: HasFiles) -> PackageLayout:
    """Find programmer, rawprogram, partition table and patches by their names.

    Raises PackageIncomplete naming the candidates unless there is exactly one programmer, one
    update rawprogram and at most one partition table of its geometry; FactoryPackage if there
    is only a factory rawprogram.
    """
    here = _FirehoseFolder(files)
    rawprogram = _update_rawprogram(files.name, here.matching(_RAWPROGRAM))
    tables = here.matching(_PARTITION_TABLE)
    if len(tables) > 1:
        tables = [path for path in tables if _geometry(path) == _geometry(rawprogram)]
    return PackageLayout(
        programmer=_only(files.name, "programmer", here.matching(_PROGRAMMER)),
        rawprogram=rawprogram,
        partition_table=_only(files.name, "partition table", tables) if tables else None,
        patches=tuple(here.matching(_PATCH)),
    )


def require_files(paths: Paths, rawprogram: str, names: Iterable[str]) -> None:
    """Refuse a rawprogram (its package path) whose named files are missing or factory files.

    Raises PackageIncomplete naming all missing, FactoryPackage, PackageHostile.
    """
    wanted = {resolve(name, rawprogram) for name in names}
    if calibration := sorted(path for path in wanted if "cefs" in _file_name(path)):
        raise FactoryPackage(f"{rawprogram} overwrites the calibration with {calibration[0]}")
    if missing := sorted(path for path in wanted if paths.locate(path) is None):
        raise PackageIncomplete(f"{rawprogram} needs {', '.join(missing)}: not in the package")


class _Remembered:
    """Reads small files, and knows later whether the bytes that count are the bytes it read."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._sha256: dict[str, str] = {}

    def __call__(self, path: str, limit_bytes: int) -> bytes:
        data = self._release.read(path, limit_bytes)
        self._sha256[path] = hashlib.sha256(data).hexdigest()
        return data

    def require_unchanged(self, manifest: Manifest) -> None:
        for path, sha256 in self._sha256.items():
            if manifest.file(path).sha256 != sha256:
                raise PackageIncomplete(f"{self._release.place}: {path} changed during the check")


class _FirehoseFolder:
    def __init__(self, files: HasFiles) -> None:
        self._paths = [
            path for path in files.paths if path.casefold().rpartition("/")[0] == _FIREHOSE
        ]

    def matching(self, patterns: tuple[str, ...]) -> list[str]:
        return [
            path
            for path in self._paths
            if any(fnmatchcase(_file_name(path), pattern) for pattern in patterns)
        ]


def _update_rawprogram(package: str, candidates: list[str]) -> str:
    factory = [path for path in candidates if _FACTORY.search(_file_name(path))]
    others = [path for path in candidates if path not in factory]
    update = [path for path in others if _file_name(path).endswith("_update.xml")]
    if factory and not update:
        raise FactoryPackage(f"{package}: has no update rawprogram, only {', '.join(factory)}")
    if others and not update:
        raise PackageIncomplete(f"{package}: {', '.join(others)}: none is called …_update.xml")
    return _only(package, "rawprogram_…_update.xml", update)


def _only(package: str, what: str, candidates: list[str]) -> str:
    match candidates:
        case [one]:
            return one
        case []:
            raise PackageIncomplete(f"{package}: no {what} in {_FIREHOSE}")
        case several:
            raise PackageIncomplete(
                f"{package}: more than one {what} in {_FIREHOSE}: {', '.join(several)}"
            )


def _refuse_factory_name(release: Release) -> None:
    for name in (release.name, release.top):
        if _FACTORY.search(name.casefold()):
            raise FactoryPackage(f"{release.place}: {name} is a factory package by its name")


def _listed_files(release: Release, listed: Mapping[str, str]) -> dict[str, str]:
    """Path as it really is -> md5. Raises PackageIncomplete naming every missing file."""
    found: dict[str, str] = {}
    missing: list[str] = []
    for path, md5 in listed.items():
        real = release.paths.locate(path)
        if real in found:
            raise PackageIncomplete(f"{release.place}: {MD5_LIST} lists {real} twice")
        if real is not None:
            found[real] = md5
        elif path.casefold() != _NEVER_SHIPPED:
            missing.append(path)
    if missing:
        raise PackageIncomplete(
            f"{release.place}: {MD5_LIST} lists {', '.join(missing)}: not in the package"
        )
    return found


def _measure(release: Release, path: str, md5: str | None) -> FileRef:
    """Length and digest of one file, all 32 digits of its md5 compared if it has one."""
    sha256, seen = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    length_bytes = 0
    for chunk in release.stream(path):
        sha256.update(chunk)
        seen.update(chunk)
        length_bytes += len(chunk)
    if md5 is not None and seen.hexdigest() != md5:
        raise PackageIncomplete(
            f"{release.place}: {path} is damaged: md5 {seen.hexdigest()}, listed {md5}"
        )
    return FileRef(path, sha256.hexdigest(), length_bytes)


def _warnings(
    release: Release, listed: Mapping[str, str], layout: PackageLayout
) -> tuple[str, ...]:
    outside = [f"{path} lies outside of {release.top} and is left out" for path in release.outside]
    extra = [
        f"{path} is not listed in {MD5_LIST}: nothing tells whether it is damaged"
        for path in release.paths
        if path not in listed and path.casefold() not in _NEVER_LISTED
    ]
    unused = [
        f"{path} is never used: the update comes from {layout.rawprogram}"
        for path in _FirehoseFolder(release).matching(_RAWPROGRAM)
        if path != layout.rawprogram
    ]
    return (*outside, *extra, *unused)


def _geometry(path: str) -> str | None:
    match = _GEOMETRY.search(_file_name(path))
    return match[0] if match else None


def _file_name(path: str) -> str:
    return path.casefold().rpartition("/")[2]
