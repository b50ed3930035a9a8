"""The wall clock, which the record's times come from."""

from collections.abc import Iterator
from datetime import UTC, datetime

from station.commands.checks.finding import Finding, bad, ok, warn
from station.commands.checks.ground import Ground
from station.errors import StationError
from station.store.examine import newest_utc_us

_TIME_ERROR = 5
"""Ref: adjtimex(2): the clock is not synchronised."""

_TOLERATED_US = 2_000_000

_SET_IT = "Let the machine ask a time server: `timedatectl set-ntp true`; see `timedatectl`."


def clock(ground: Ground) -> Iterator[Finding]:
    """Set by a time server, and not before what the record has already."""
    state = ground.clock_state()
    synchronised = (ground.root / "run/systemd/timesync/synchronized").exists()
    if state == _TIME_ERROR and not synchronised:
        yield warn(
            "no time server sets the clock",
            "kernel clock",
            why="the record's times drift; after a dead battery they are wrong by years",
            remedy=_SET_IT,
        )
    else:
        yield ok("a time server sets the clock", "kernel clock")
    try:
        newest = newest_utc_us(ground.settings.database)
    except StationError:
        return  # what is wrong with the database, its own check says
    if newest is not None and newest > ground.utc_us() + _TOLERATED_US:
        yield bad(
            f"the record already has a row of {_moment(newest)}",
            f"clock at {_moment(ground.utc_us())}",
            why="new rows would seem older than those before",
            remedy=f"Set the clock. {_SET_IT}",
        )


def _moment(utc_us: int) -> str:
    try:
        return f"{datetime.fromtimestamp(utc_us // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{utc_us} us"
