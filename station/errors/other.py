"""X9xx: bugs, people who stop things, power that goes."""

from station.errors.base import Blame, StationError


class Bug(StationError):
    code = "X901"
    headline = "STATION BUG"
    remedy = "Keep the module in its slot and send the log of this attempt to the developers."
    blame = Blame.STATION


class Aborted(StationError):
    code = "X902"
    headline = "ABORTED"
    remedy = "Run the module again."
    blame = Blame.PERSON


class StoppedByHand(StationError):
    code = "X904"
    headline = "STOPPED BY HAND"
    remedy = "Run the module again: a person stopped its attempt, and nothing will by itself."
    blame = Blame.PERSON


class Interrupted(StationError):
    code = "X903"
    headline = "CUT SHORT"
    remedy = "Run the module again: the station stopped in the middle, its state is not known."
    blame = Blame.NOBODY
