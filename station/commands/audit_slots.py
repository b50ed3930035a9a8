"""`station audit slots`: how each slot was over time. Reads only; works while an engine runs."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from rich.table import Table
from rich.text import Text

from station.commands.audit import check_words
from station.commands.exits import show
from station.commands.reporter import print_table
from station.config import Settings
from station.store.slot_states import Interval, slot_intervals

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def slots(settings: Settings, *, slot: str | None, since_utc_us: int | None, as_json: bool) -> None:
    """Print the intervals of one slot, or of all of the settings, oldest first in each. A slot that
    the settings have no more is known by its name. Raises UsageError."""
    check_words({"slot": slot})
    names = [slot] if slot is not None else [one.name for one in settings.slots]
    station = settings.station.name
    found = slot_intervals(settings.database, station, names, since_utc_us=since_utc_us)
    if as_json:
        for interval in found:
            show(_line(station, interval))
    else:
        _print(found)


def _print(found: Iterable[Interval]) -> None:
    table = Table("slot", "state", "from (UTC)", "to")
    table.add_column("s", justify="right", no_wrap=True)
    for one in found:
        until = "now" if one.until_utc_us is None else _shown(one.until_utc_us)
        seconds = _seconds(one)
        length = "" if seconds is None else f"{seconds:.1f}"
        table.add_row(Text(one.slot), one.state, _shown(one.from_utc_us), until, length)
    if table.row_count:
        print_table(table)


def _line(station: str, one: Interval) -> str:
    return json.dumps(
        {
            "station": station,
            "slot": one.slot,
            "state": one.state,
            "from_utc": _rfc3339(one.from_utc_us),
            "to_utc": None if one.until_utc_us is None else _rfc3339(one.until_utc_us),
            "seconds": _seconds(one),
        }
    )


def _seconds(one: Interval) -> float | None:
    """Negative where the clock was set back meanwhile: it is told as it is."""
    return None if one.until_utc_us is None else (one.until_utc_us - one.from_utc_us) / 1_000_000


def _shown(utc_us: int) -> str:
    return f"{datetime.fromtimestamp(utc_us / 1e6, UTC):%Y-%m-%d %H:%M:%S}"


def _rfc3339(utc_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=utc_us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
