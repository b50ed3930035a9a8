"""`station audit slots`: how each slot was over time. Reads only; works while an engine runs."""

from collections.abc import Iterator, Mapping, Sequence

from station.commands.answers import Form, Shape, answer
from station.commands.audit import check_words
from station.commands.audit_names import tell_never_had
from station.commands.reporter import moment
from station.config import Settings
from station.store.slot_states import Interval, slot_intervals, slots_of
from station.wire import rfc3339


def tell_slots(
    settings: Settings,
    *,
    station: str | None,
    slot: str | None,
    since_utc_us: int | None,
    form: Form,
) -> None:
    """Print the intervals of one slot, or of all of the station, oldest first in each: of this
    one those of the settings, of one that is named those on record. A slot that the settings have
    no more is known by its name. Raises UsageError."""
    check_words({"station": station, "slot": slot})
    names = [slot] if slot is not None else _all(settings, station)
    whose = station or settings.station.name
    found = slot_intervals(settings.database, whose, names, since_utc_us=since_utc_us)
    answer(_or_why_none(found, settings, slot), _shape(whose), form)


def _or_why_none(
    found: Iterator[Interval], settings: Settings, slot: str | None
) -> Iterator[Interval]:
    first = next(found, None)
    if first is None:
        tell_never_had(settings, slot=slot)
        return
    yield first
    yield from found


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
