"""Small, wary reads below /sys: whatever is missing, vanishing or odd is None."""

from pathlib import Path

from station.errors import NoDescriptors
from station.transport import descriptors

MAX_BYTES = 4096
MAX_ENTRIES = 4096
"""More names in one folder than this are not looked at."""


def text(path: Path) -> str | None:
    """What the file says in one line, control characters as `?`; None if it does not say."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES)
    except (OSError, ValueError):
        return None
    return _printable(raw.decode("utf-8", "replace").strip()) or None


def number(path: Path, *, base: int = 10, most: int = 0xFFFF_FFFF) -> int | None:
    """A number from 0 to `most`, or None."""
    said = text(path)
    if said is None or len(said) > 16 or not said.isascii() or not said.isalnum():
        return None
    try:
        value = int(said, base)
    except ValueError:
        return None
    return value if value <= most else None


def link(path: Path) -> Path | None:
    """Where a symbolic link leads, all links followed; None for anything else."""
    try:
        return path.resolve(strict=True) if path.is_symlink() else None
    except (OSError, RuntimeError, ValueError):
        return None


def link_name(path: Path) -> str | None:
    target = link(path)
    return None if target is None else _printable(target.name)


def names(folder: Path) -> list[str]:
    """The names in a folder, sorted; none if it is gone. Raises NoDescriptors: who could not look
    must not say that nobody is there."""
    found = []
    try:
        for entry in folder.iterdir():
            found.append(entry.name)
            if len(found) == MAX_ENTRIES:
                break
    except OSError as error:
        if descriptors.are_missing(error):
            raise NoDescriptors(f"read {folder}: no file can be opened any more") from error
    return sorted(found)


def _printable(said: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in said)
