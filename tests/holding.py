"""What must hold whatever happens, for every campaign that looks for what breaks it."""

from pathlib import Path

from station.store.database import sqlite_url
from station.store.verify import verify


class Broken(AssertionError):
    """Something that must hold does not."""


def hold(true: object, else_: str) -> None:
    """Raises Broken."""
    if not true:
        raise Broken(else_)


def hold_untouched(record: Path) -> None:
    """Every row of this file is in the chain as it was written. Raises Broken."""
    found = verify(sqlite_url(record)).findings
    hold(not found, f"the chain does not hold: {found[:2]}")
