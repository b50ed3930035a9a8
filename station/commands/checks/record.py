"""The database: there, readable, of this software's schema, whole, writable."""

from collections.abc import Iterator
from pathlib import Path

from station.commands.checks.finding import Finding, bad, cannot_tell, ok
from station.commands.checks.ground import Ground
from station.commands.checks.person import Person, owner_of
from station.errors import StationError
from station.store import revision
from station.store.database import shown, sqlite_path
from station.store.examine import damage

CHECK_S = 20.0
"""A record of some gigabytes takes longer; the check is given up then."""


def record(ground: Ground) -> Iterator[Finding]:
    """Stops at the first step that fails: what follows would fail by the same cause."""
    url = ground.settings.database
    place = shown(url)
    try:
        revisions = revision.check(url)
        problems = damage(url, CHECK_S)
    except StationError as error:
        yield bad(
            f"{error.code} {error.headline}",
            place,
            why=error.cause,
            remedy=error.remedy,
        )
        return
    yield ok(f"schema {revisions.current}, as it must be", place)
    if problems is None:
        how = 'Ask when the line rests: `sqlite3 FILE "pragma quick_check"`.'
        yield cannot_tell(
            f"whether it is whole; not looked through in {CHECK_S:g} s", place, remedy=how
        )
    elif problems:
        yield bad(
            f"the file is damaged: {problems[0]}",
            place,
            why="rows may be lost, and the next write may fail",
            remedy="Stop the engine, copy the file, restore the latest backup beside it (*.bak).",
        )
    else:
        yield ok("the file is whole", place)
    path = sqlite_path(url)
    if path is not None:
        yield from _writable(path, ground.keeper)


def _writable(path: Path, keeper: Person) -> Iterator[Finding]:
    """The file, its folder (SQLite makes its log there), and what lies beside it already."""
    beside = [path.with_name(path.name + tail) for tail in ("-wal", "-shm", ".lock")]
    try:
        closed = [p for p in (path, *beside) if p.exists() and not keeper.may_use(p)]
        if not keeper.may_use(path.parent, folder=True):
            closed.append(path.parent)
        owners = [f"{place} ({owner_of(place)})" for place in closed]
    except OSError as error:
        words = f"whether {keeper.name} may write it ({error.strerror})"
        yield cannot_tell(words, path, remedy="Run it as root.")
        return
    if owners:
        yield bad(
            f"{keeper.name} may not write",
            ", ".join(owners),
            why="no result can be recorded, so no module is started",
            remedy=f"sudo chown {keeper.name}: {' '.join(str(place) for place in closed)}",
        )
    else:
        yield ok(f"{keeper.name} may write it", path)
