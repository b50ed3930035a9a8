"""Paths inside a package: relative to its root, parts joined by `/`, never leaving it.

Windows tools write `\\update\\sbl1.mbn` (md5.txt), `..\\sbl1.mbn` (rawprogram) and even ZIP members
with backslashes; all of them become `update/sbl1.mbn` here. A backslash is always a separator.
"""

import re
from collections.abc import Iterable, Iterator

from station.errors import PackageHostile, PackageIncomplete

MAX_PATH_BYTES = 512
MAX_PART_BYTES = 255
MAX_DEPTH = 8


def shown(name: str) -> str:
    """A name for an error text: quoted, escaped, not longer than a line."""
    return repr(name) if len(name) <= 80 else f"{name[:80]!r}…"


def clean(raw: str, place: str) -> str:
    """The package path of a name found in `place`. Raises PackageHostile if it is none."""
    parts = _parts(raw, place)
    if ".." in parts:
        raise PackageHostile(f"{place}: {shown(raw)} points upwards")
    return _joined(parts, raw, place)


def resolve(name: str, relative_to: str) -> str:
    """The package path of a file named in the XML file at package path `relative_to`.

    `resolve("..\\\\sbl1.mbn", "update/firehose/rawprogram_nand_update.xml")` is
    `update/sbl1.mbn`. Purely lexical: see `Paths.locate` for the file really there. Raises
    PackageHostile for a name that leaves the package or is absolute.
    """
    parts = relative_to.split("/")[:-1]
    steps = _parts(name, relative_to)
    if not steps or steps[-1] == "..":
        raise PackageHostile(f"{relative_to}: {shown(name)} names no file")
    for part in steps:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            raise PackageHostile(f"{relative_to}: {shown(name)} leaves the package")
    return _joined(parts, name, relative_to)


def _parts(raw: str, place: str) -> list[str]:
    if len(raw) > 2 * MAX_PATH_BYTES:
        raise PackageHostile(f"{place}: the name {shown(raw)} is too long")
    if not raw.isprintable():
        raise PackageHostile(f"{place}: the name {shown(raw)} has unprintable characters")
    if re.match(r"[\\/]|[A-Za-z]:", raw):
        raise PackageHostile(f"{place}: {shown(raw)} is an absolute path")
    if ":" in raw:
        raise PackageHostile(f"{place}: the name {shown(raw)} has a colon")
    return [part for part in raw.replace("\\", "/").split("/") if part not in ("", ".")]


def _joined(parts: list[str], raw: str, place: str) -> str:
    path = "/".join(parts)
    if not parts:
        raise PackageHostile(f"{place}: {shown(raw)} names no file")
    if len(parts) > MAX_DEPTH:
        raise PackageHostile(f"{place}: {shown(raw)} is deeper than {MAX_DEPTH} folders")
    too_long = any(len(part.encode()) > MAX_PART_BYTES for part in parts)
    if too_long or len(path.encode()) > MAX_PATH_BYTES:
        raise PackageHostile(f"{place}: the name {shown(raw)} is too long")
    return path


class Paths:
    """The package paths that exist, and how to find one by a name of the wrong case."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._exact = frozenset(paths)
        self._folded: dict[str, list[str]] = {}
        for path in sorted(self._exact):
            self._folded.setdefault(path.casefold(), []).append(path)

    def __iter__(self) -> Iterator[str]:
        """In order."""
        return iter(sorted(self._exact))

    def locate(self, path: str) -> str | None:
        """The file meant by `path`: that very name, else the only one of another case, else None.

        Raises PackageIncomplete if several files differ from it only in case.
        """
        if path in self._exact:
            return path
        found = self._folded.get(path.casefold(), [])
        if len(found) > 1:
            raise PackageIncomplete(f"{path} could be any of {', '.join(found)}")
        return found[0] if found else None
