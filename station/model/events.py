"""What happens on the line: for the record, and for eyes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from station.model.results import AttemptRecord, Failure

# --- the line -----------------------------------------------------------------------------------

Fact: TypeAlias = "str | int | Sequence[Fact] | Mapping[str, Fact] | None"
"""What a record may hold of its own shape: as JSON, without floats."""


@dataclass(frozen=True, slots=True)
class StationEvent:
    """What a person did to the line, or the engine itself: then nobody is named.

    `kind` as in EVENT_KINDS. `actor` is the person as they said, `role` theirs on this station if
    they are known to it; `peer_uid` and `peer_user` are the user of the socket's other end.
    """

    event_id: str
    station: str
    utc_us: int
    kind: str
    actor: str | None = None
    peer_uid: int | None = None
    peer_user: str | None = None
    slot: str | None = None
    detail: Mapping[str, Fact] = field(default_factory=dict)
    role: str | None = None


EVIDENCE_PRUNED = "evidence_pruned"
"""Files of attempts that ended before `before_utc_us` were deleted."""
RESTORED = "restored"
"""A backup took the record's place; the detail says from which file and how far both went."""

EVENT_KINDS = (
    *("started", "stopped", "armed", "disarmed", "retry", "abort", "hold", "release", "clear"),
    *("stop", "shift_end", "campaign_run", "campaign_abort"),
    *("taken_out", "breaker_tripped", "hub_failure"),  # of the line's own accord
    *("slot_lifted", "breaker_lifted", "hub_lifted"),  # by an engineer
    *("clock", "result_set_aside"),  # the station's own trouble
    *(EVIDENCE_PRUNED, RESTORED),  # also without an engine
)


# --- for eyes: live progress, may be dropped, never the source of a record ----------------------


@dataclass(frozen=True, slots=True)
class StepStarted:
    slot: str
    step: str


@dataclass(frozen=True, slots=True)
class Progress:
    slot: str
    step: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Notice:
    slot: str
    text: str


@dataclass(frozen=True, slots=True)
class PutBack:
    """The module left the work, by a hand maybe, and is waited for until `until_s` of the engine's
    monotonic clock; None: it is back, or nobody waits any more."""

    slot: str
    until_s: float | None


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """`again`: the next attempt on the same module begins, e.g. `2 of 2`."""

    slot: str
    record: AttemptRecord
    again: str | None = None


@dataclass(frozen=True, slots=True)
class SlotFailed:
    """The verdict of this slot could not be committed: there is none."""

    slot: str
    failure: Failure


Event = StepStarted | Progress | Notice | PutBack | AttemptEnded | SlotFailed
