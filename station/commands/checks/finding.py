"""What a check found."""

from dataclasses import dataclass
from enum import Enum


class Grade(Enum):
    """Worst first, as they are shown."""

    BAD = "BAD"
    """Modules will not be flashed, or records not be kept."""
    WARN = "WARN"
    """It works today."""
    CANNOT_TELL = "CANNOT TELL"
    """This user or this machine does not let us see."""
    OK = "OK"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` is so, `where`; `why` it would fail tomorrow and the `remedy` are empty if all is
    well."""

    grade: Grade
    what: str
    where: str
    why: str = ""
    remedy: str = ""


def ok(what: str, where: object) -> Finding:
    return Finding(Grade.OK, what, str(where))


def warn(what: str, where: object, *, why: str, remedy: str) -> Finding:
    return Finding(Grade.WARN, what, str(where), why, remedy)


def bad(what: str, where: object, *, why: str, remedy: str) -> Finding:
    return Finding(Grade.BAD, what, str(where), why, remedy)


def cannot_tell(what: str, where: object, *, remedy: str) -> Finding:
    return Finding(Grade.CANNOT_TELL, what, str(where), "", remedy)
