"""A backup of the record while an engine runs: a copy that was found whole, its chain too."""

from dataclasses import dataclass
from pathlib import Path

from station.errors import (
    DatabaseError,
    NoBackup,
    NoDatabase,
    RecordChanged,
    RecordDamaged,
    WrittenMeanwhile,
)
from station.store.copying import copied, put, stamp
from station.store.database import shown, sqlite_path, sqlite_url
from station.store.far import Came, unheard
from station.store.revision import check
from station.store.verify import Verified, verify


@dataclass(frozen=True, slots=True)
class Backup:
    """`checked` None: nobody looked at its chain."""

    path: Path
    length_bytes: int
    checked: Verified | None


def backup(
    url: str, out: Path | None = None, *, chain: bool = True, came: Came = unheard
) -> Backup:
    """One moment of the record in a new file, by default a dated one beside it.

    Raises NoBackup, RecordChanged or RecordDamaged if the record is not what was written,
    NoDatabase, SchemaOutdated, SchemaTooNew, WrittenMeanwhile; then there is no file. `came`: as
    `verify`.
    """
    try:
        return _backup(url, out, came, chain=chain)
    except (NoDatabase, RecordDamaged, WrittenMeanwhile):
        raise
    except DatabaseError as error:
        raise NoBackup(error.cause) from error


def _backup(url: str, out: Path | None, came: Came, *, chain: bool) -> Backup:
    path = file_of(url)
    revision = check(url).current
    target = out or path.with_name(f"{path.name}.{revision}-{stamp()}.bak")
    if target.exists():
        raise NoBackup(f"{target} is there already, and no file is replaced")
    if not target.parent.is_dir():
        raise NoBackup(f"there is no folder {target.parent}")
    with copied(path, target.parent, target.name, in_full=not chain) as copy:
        checked = whole(copy, came) if chain else None
        put(copy, target)
    return Backup(target, target.stat().st_size, checked)


def file_of(url: str) -> Path:
    """Raises NoBackup for a database server."""
    path = sqlite_path(url)
    if path is None:
        raise NoBackup(f"{shown(url)} is a database server: `pg_dump` and `pg_restore` copy it")
    return path


def whole(copy: Path, came: Came) -> Verified:
    """What is in it, if its chain holds. Raises RecordChanged, and as `verify`."""
    checked = verify(sqlite_url(copy), came=came)
    if not checked.is_untouched:
        first = checked.findings[0]
        kind = RecordChanged if first.seq else RecordDamaged
        link = f"{first.station}, link {first.seq}: " if first.seq else ""
        raise kind(f"{link}{first.what}: {first.why}")
    return checked
