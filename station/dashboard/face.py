"""What a slot says to somebody three metres away: one word, one shape, one kind of colour."""

from dataclasses import dataclass

from station.dashboard.palette import Kind
from station.errors import HubFailed, LineStopped, NotArmed, ResumesWhenArmed, SlotOut
from station.live import SlotState, SlotView
from station.model import Outcome


@dataclass(frozen=True, slots=True)
class Face:
    """`short` is the word where there is room for four letters only."""

    kind: Kind
    shape: str
    word: str
    short: str


def _face(kind: Kind, shape: str, word: str, short: str = "") -> Face:
    return Face(kind, shape, word, short or word)


VERDICTS = {
    Outcome.PASS: _face(Kind.GOOD, "✔", "PASS"),
    Outcome.NO_CHANGE: _face(Kind.GOOD, "=", "NO CHANGE", "SAME"),
    Outcome.FAIL: _face(Kind.BAD, "✖", "FAIL"),
    Outcome.ERROR: _face(Kind.BAD, "✖", "ERROR", "ERR"),
    Outcome.BLOCKED: _face(Kind.WARN, "⚠", "BLOCKED", "BLKD"),
    Outcome.ABORTED: _face(Kind.WARN, "⚠", "ABORTED", "ABRT"),
    Outcome.INTERRUPTED: _face(Kind.WARN, "⚠", "CUT SHORT", "CUT"),
}
NO_VERDICT = _face(Kind.BAD, "✖", "NO VERDICT", "?")
SLOT_OUT = _face(Kind.WARN, "⚠", "SLOT OUT", "OUT")
STOPPED = _face(Kind.WARN, "⚠", "STOPPED", "STOP")
HUB_FAILED = _face(Kind.BAD, "✖", "HUB FAILED", "HUB")
WAITS = _face(Kind.WAIT, "◔", "WAIT")
ALREADY_PASS = _face(Kind.GOOD, "=", "ALREADY PASS", "PASS")

STATES = {
    SlotState.EMPTY: _face(Kind.OFF, "○", "EMPTY"),
    SlotState.NO_USB: _face(Kind.ACT, "◇", "NO USB", "USB?"),
    SlotState.SETTLING: _face(Kind.RUN, "◔", "WAIT"),
    SlotState.WAITING: _face(Kind.ACT, "▶", "ARM"),
    SlotState.PROBING: _face(Kind.RUN, "◔", "READ"),
    SlotState.STANDING: _face(Kind.WARN, "⚠", "NOT FLASHED", "IDLE"),
    SlotState.IDENTIFYING: _face(Kind.RUN, "◔", "WHO?"),
    SlotState.PLANNED: _face(Kind.RUN, "◔", "START", "GO"),
    SlotState.FLASHING: _face(Kind.RUN, "◑", "FLASH", "FLSH"),
    SlotState.VERIFYING: _face(Kind.RUN, "◕", "CHECK", "CHK"),
    SlotState.RETURNING: _face(Kind.RUN, "◔", "WHO?"),
    SlotState.PULLED: _face(Kind.ACT, "▼", "PUT BACK", "BACK"),
    SlotState.HELD: _face(Kind.OFF, "○", "HELD"),
    SlotState.DISABLED: _face(Kind.WARN, "⚠", "DISABLED", "OFF"),
}
"""The states that have one face whatever the verdict; DONE and AWAY show the verdict."""


_FATES = {
    (STATES[SlotState.HELD], SlotOut.code): SLOT_OUT,
    (STATES[SlotState.WAITING], LineStopped.code): STOPPED,
    (VERDICTS[Outcome.ERROR], HubFailed.code): HUB_FAILED,
}
"""Where the code says more than the state or the verdict."""

_HELPED_BY_ARMING = (NotArmed.code, ResumesWhenArmed.code)


def face_of(state: SlotState, outcome: Outcome | None) -> Face:
    """The face of every state with every outcome."""
    if state in (SlotState.DONE, SlotState.AWAY):
        return VERDICTS[outcome] if outcome else NO_VERDICT
    return STATES[state]


def face(view: SlotView) -> Face:
    """The face of a slot; of a unit that had passed before, with that; of what slot, line or hub
    have done to it, with their word."""
    if is_pulled_out(view):
        return STATES[SlotState.PULLED]
    found = face_of(view.state, verdict(view))
    if view.failure is not None and (own := _FATES.get((found, view.failure.code))) is not None:
        return own
    if view.state is SlotState.WAITING and not _is_helped_by_arming(view):
        return WAITS
    if found is VERDICTS[Outcome.NO_CHANGE] and view.earlier and view.earlier.outcome.is_good:
        return ALREADY_PASS
    return found


def _is_helped_by_arming(view: SlotView) -> bool:
    """It waits for a person; not for a campaign, a record in trouble or the engine's end."""
    return view.failure is None or view.failure.code in _HELPED_BY_ARMING


def is_pulled_out(view: SlotView) -> bool:
    """The work waits for a hand to put the module back."""
    return view.state.is_busy and view.put_back_until_utc_us is not None


def shown(view: SlotView) -> SlotView:
    """What may be shown of a slot: of something that came back nothing until it said who it is,
    for it may be another unit than the one that went away."""
    if view.state is not SlotState.RETURNING:
        return view
    return SlotView(view.slot, view.state, view.since_utc_us, view.port_path, view.usb_id)


def verdict(view: SlotView) -> Outcome | None:
    """The verdict that stands in this slot: this engine's, or the one the record has."""
    if view.outcome is None and view.state in (SlotState.DONE, SlotState.AWAY) and view.earlier:
        return view.earlier.outcome
    return view.outcome


def is_from_before(view: SlotView) -> bool:
    """The verdict was given before this engine started: shown, and not made anew."""
    return view.state is SlotState.DONE and view.earlier is not None and not view.steps
