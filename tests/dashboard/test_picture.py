"""How sure the picture may be of what it shows."""

from station.dashboard.no_data import no_data_texts
from station.dashboard.picture import STALE_S, Picture
from station.dashboard.words import clock
from station.live import LineState, LineView
from station.wire import Beat, Snapshot
from tests.dashboard.tray import NOW_UTC_US

HOUR_US = 3_600_000_000


class Ticks:
    """A clock that nobody sets."""

    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def heard(ticks: Ticks) -> Picture:
    """A picture that an engine has just told everything."""
    picture = Picture(ticks_ns=ticks)
    picture.take(Snapshot(1, NOW_UTC_US, LineView(LineState.DISARMED), (), ()), NOW_UTC_US)
    return picture


def test_a_picture_is_old_when_nothing_was_said_for_too_long() -> None:
    ticks = Ticks()
    picture = heard(ticks)
    ticks.now_ns += int(STALE_S * 1e9)
    assert not picture.is_stale()
    ticks.now_ns += 1000
    assert picture.is_stale()
    picture.take(Beat(2, NOW_UTC_US), NOW_UTC_US)
    assert not picture.is_stale()


def test_a_clock_that_is_set_makes_nothing_old_and_nothing_young() -> None:
    ticks = Ticks()
    picture = heard(ticks)
    picture.take(Beat(2, NOW_UTC_US), NOW_UTC_US + HOUR_US)
    picture.take(Beat(3, NOW_UTC_US), NOW_UTC_US - HOUR_US)
    assert not picture.is_stale()
    ticks.now_ns += 7_000_000_000
    assert picture.is_stale()
    words = no_data_texts(picture).since
    assert words.startswith(f"since {clock(NOW_UTC_US - HOUR_US)} (0:07)")


def test_before_any_engine_was_heard_all_is_old() -> None:
    assert Picture().is_stale()
