"""Who works at the station, when and for what."""

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a person may do: operators and engineers work at the line, engineers also undo what it
    stopped and say who works here; auditors only look. Anybody may stop something."""

    OPERATOR = "operator"
    ENGINEER = "engineer"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Person:
    """Who does something, by name; `role` is None for whom the station does not know."""

    name: str
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """A person as registered on a station, or retired: the last one of a name counts. `actor`,
    `peer_uid` and `peer_user` say by whom, `reason` why."""

    operator_id: str
    station: str
    utc_us: int
    name: str
    role: Role
    badge_sha256: str | None
    is_active: bool
    actor: str | None
    peer_uid: int | None
    peer_user: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A person's time at the line; `role` is None for whom the station does not know."""

    shift_id: str
    station: str
    utc_us: int
    operator: str
    role: Role | None = None
    peer_uid: int | None = None
    peer_user: str | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """What a customer ordered, as it was named when it was armed for the first time."""

    lot_id: str
    station: str
    utc_us: int
    name: str
    operator: str


GOLDEN = "golden"
"""The purpose of an attempt on a golden unit."""


@dataclass(frozen=True, slots=True)
class Under:
    """Under what an attempt is begun, as `AttemptOpened` says it."""

    shift_id: str | None = None
    lot: str | None = None
