"""The life of a slot, as one table: where it is, what happens, where it is then.

    EMPTY -> SETTLING -> IDENTIFYING -> PLANNED -> FLASHING -> VERIFYING -> DONE -> EMPTY
               (WAITING while the line is not armed)            (AWAY, PULLED without the module)

What the world does and the table does not name changes nothing; what a person asks and the
table does not name is refused. Pure.
"""

from enum import Enum

from station.errors import NotNow
from station.live import BUSY
from station.live import SlotState as S


class Input(Enum):
    """What can happen to a slot. Changes on USB are not inputs while an attempt runs: they are
    its own doing until it ends."""

    APPEARED = "a device appeared"
    LEFT = "the device left"
    DARK = "a module is expected and the tray is in"
    SPARED = "no module is missed here any more"
    SETTLED_ARMED = "the device stayed, the line is armed"
    SETTLED_DISARMED = "the device stayed, the line is not armed"
    ARMED = "the line was armed"
    STANDS = "it is the module of the verdict"
    STRANGER = "it is another module, or one without a verdict"
    UNKNOWN = "nobody can tell whether it is the module of the verdict"
    UNFINISHED = "it is the module that a dead engine left half written"
    UNFIT = "the line is armed, but not with the recipe that was begun"
    STUMBLED = "a bug of the station's, a person must look at it"

    IDENTIFIED = "the attempt knows who it is"
    WRITING = "the attempt changes the module"
    VERIFYING = "the attempt looks at what it did"
    ENDED = "the attempt ended, the module is there"
    ENDED_AWAY = "the attempt ended, the module did not come back"
    ENDED_OUT = "the attempt ended, the module was pulled out"
    AGAIN = "the attempt failed in a way that may pass, the next one begins"

    START = "retry"
    ABORT = "abort"
    HOLD = "hold"
    RELEASED_EMPTY = "release (no device is there)"
    RELEASED_FULL = "release (a device is there)"
    CLEAR = "clear"


COMMANDS = frozenset(
    {
        Input.START,
        Input.ABORT,
        Input.HOLD,
        Input.RELEASED_EMPTY,
        Input.RELEASED_FULL,
        Input.CLEAR,
    }
)

_ATTEMPT = {
    Input.IDENTIFIED: S.PLANNED,
    Input.WRITING: S.FLASHING,
    Input.VERIFYING: S.VERIFYING,
    Input.ENDED: S.DONE,
    Input.ENDED_AWAY: S.AWAY,
    Input.ENDED_OUT: S.PULLED,
    Input.AGAIN: S.IDENTIFYING,
    Input.STUMBLED: S.STANDING,
}

TABLE: dict[S, dict[Input, S]] = {
    S.EMPTY: {
        Input.APPEARED: S.SETTLING,
        Input.DARK: S.NO_USB,
        Input.HOLD: S.HELD,
    },
    S.NO_USB: {
        Input.APPEARED: S.SETTLING,
        Input.SPARED: S.EMPTY,
        Input.CLEAR: S.EMPTY,
        Input.HOLD: S.HELD,
    },
    S.SETTLING: {
        Input.APPEARED: S.SETTLING,
        Input.LEFT: S.EMPTY,
        Input.SETTLED_ARMED: S.IDENTIFYING,
        Input.SETTLED_DISARMED: S.WAITING,
        Input.STUMBLED: S.STANDING,
        Input.HOLD: S.HELD,
    },
    S.WAITING: {
        Input.APPEARED: S.SETTLING,
        Input.LEFT: S.EMPTY,
        Input.ARMED: S.IDENTIFYING,
        Input.START: S.IDENTIFYING,
        Input.UNFIT: S.STANDING,
        Input.HOLD: S.HELD,
    },
    S.PROBING: {
        Input.APPEARED: S.PROBING,
        Input.LEFT: S.EMPTY,
        Input.STANDS: S.DONE,
        Input.UNFINISHED: S.WAITING,
        Input.STRANGER: S.STANDING,
        Input.UNKNOWN: S.STANDING,
        Input.STUMBLED: S.STANDING,
        Input.HOLD: S.HELD,
    },
    S.STANDING: {
        Input.LEFT: S.EMPTY,
        Input.START: S.IDENTIFYING,
        Input.HOLD: S.HELD,
    },
    S.IDENTIFYING: {Input.ABORT: S.IDENTIFYING, **_ATTEMPT},
    S.PLANNED: {Input.ABORT: S.PLANNED, **_ATTEMPT},
    S.FLASHING: {Input.ABORT: S.FLASHING, **_ATTEMPT},
    S.VERIFYING: {Input.ABORT: S.VERIFYING, **_ATTEMPT},
    S.DONE: {
        Input.APPEARED: S.PROBING,
        Input.LEFT: S.EMPTY,
        Input.START: S.IDENTIFYING,
        Input.HOLD: S.HELD,
    },
    S.AWAY: {
        Input.APPEARED: S.RETURNING,
        Input.CLEAR: S.EMPTY,
        Input.HOLD: S.HELD,
    },
    S.RETURNING: {
        Input.APPEARED: S.RETURNING,
        Input.LEFT: S.AWAY,
        Input.STANDS: S.DONE,
        Input.STRANGER: S.SETTLING,
        Input.UNKNOWN: S.STANDING,
        Input.STUMBLED: S.STANDING,
        Input.HOLD: S.HELD,
    },
    S.PULLED: {
        Input.APPEARED: S.SETTLING,
        Input.CLEAR: S.EMPTY,
        Input.HOLD: S.HELD,
    },
    S.HELD: {
        Input.RELEASED_EMPTY: S.EMPTY,
        Input.RELEASED_FULL: S.PROBING,
    },
    S.DISABLED: {},
}

_WHY_NOT = {
    S.EMPTY: "there is no module in it",
    S.NO_USB: "its module does not show itself on USB",
    S.SETTLING: "its module just appeared",
    S.WAITING: "its module waits for the line",
    S.PROBING: "its module is just being asked who it is",
    S.STANDING: "its module was there before the line",
    S.DONE: "its verdict stands and the module is in it",
    S.AWAY: "its module is not on USB; put it back first",
    S.RETURNING: "its module is just being asked who it is",
    S.PULLED: "its module was pulled out; put it back first",
    S.HELD: "it is held; release it first",
    S.DISABLED: "it is disabled because its place in the USB tree is in doubt",
}


def follow(state: S, given: Input) -> S:
    """The state after this input. Raises NotNow for a command that the state does not allow."""
    after = TABLE[state].get(given)
    if after is not None:
        return after
    if given in COMMANDS:
        reason = _WHY_NOT.get(state, "an attempt is running; abort it first")
        raise NotNow(f"{given.value.split(' (')[0]} is not possible now: {reason}")
    return state


def activity(state: S) -> str:
    """What the station does with a slot in this state by itself."""
    if state in BUSY:
        return "attempt"
    match state:
        case S.SETTLING:
            return "settle"
        case S.PROBING | S.RETURNING:
            return "probe"
        case _:
            return "rest"
