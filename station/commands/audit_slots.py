"""`station audit slots`: how each slot was over time. Reads only; works while an engine runs."""

from collections.abc import Mapping, Sequence
from itertools import chain

from station.commands.answers import Form, Shape, answer
from station.commands.audit import check_words
from station.commands.audit_names import words_of_never_had
from station.commands.exits import say
from station.commands.reporter import moment
from station.commands.span import Span
from station.config import Settings
from station.store.slot_states import Interval, has_states, slot_intervals, slots_of
from station.wire import rfc3339


def tell_slots(
    settings: Settings,
    *,
    station: str | None,
    slot: str | None,
    span: Span,
    form: Form,
) -> None:
    """Print the intervals of one slot, or of all of the station, oldest first in each: of this
    one those of the settings, of one that is named those on record. A slot that the settings have
    no more is known by its name. Raises UsageError."""
    check_words({"station": station, "slot": slot})
    names = [slot] if slot is not None else _all(settings, station)
    whose = station or settings.station.name
    found = slot_intervals(settings.database, whose, names, **span._asdict())
    first = next(found, None)
    if first is None:
        _say_why(settings, whose, slot)
    answer(found if first is None else chain([first], found), _shape(whose), form)


def _say_why(settings: Settings, station: str, slot: str | None) -> None:
    """A name that never was; else that nobody told of any slot, which is not that none was used."""
    words = list(words_of_never_had(settings, station=station, slot=slot))
    if not words and not has_states(settings.database, station):
        words.append(
            f"{station} has no slot states on this record: an engine tells them (`station run`, "
            "`station serve`); `flash --once` and `demo --once` have none"
        )
    for one in words:
        say(one)


def _all(settings: Settings, station: str | None) -> Sequence[str]:
    if station is None:
        return [one.name for one in settings.slots]
    return slots_of(settings.database, station)


_KEYS = ("station", "slot", "state", "from_utc", "to_utc", "seconds")


def _shape(station: str) -> Shape[Interval]:
    return Shape(
        _KEYS,
        lambda one: _facts(station, one),
        {
            "station": lambda _: station,
            "slot": lambda one: one.slot,
            "state": lambda one: one.state,
            "from (UTC)": lambda one: moment(one.from_utc_us),
            "to": lambda one: "now" if one.until_utc_us is None else moment(one.until_utc_us),
            "s": _length,
        },
    )


def _facts(station: str, one: Interval) -> Mapping[str, object]:
    return {
        "station": station,
        "slot": one.slot,
        "state": one.state,
        "from_utc": rfc3339(one.from_utc_us),
        "to_utc": None if one.until_utc_us is None else rfc3339(one.until_utc_us),
        "seconds": _seconds(one),
    }


def _seconds(one: Interval) -> float | None:
    """Negative where the clock was set back meanwhile: it is told as it is."""
    return None if one.until_utc_us is None else (one.until_utc_us - one.from_utc_us) / 1_000_000


def _length(one: Interval) -> str:
    seconds = _seconds(one)
    return "" if seconds is None else f"{seconds:.1f}"
