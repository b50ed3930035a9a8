"""`station audit`: which serial got which firmware, and what people did to the line.

Reads only; works while an engine runs.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from station.commands.exits import show
from station.commands.reporter import print_events, print_history
from station.config import Settings
from station.errors import UsageError
from station.model import StationEvent
from station.store.events import find_events
from station.store.queries import find_attempts
from station.store.writer import now_utc_us
from station.wire import ATTEMPT_COLUMNS, attempt_line, attempt_row

_AGO = re.compile(r"(\d{1,5})([hdw])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT_US = {"h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}


@dataclass(frozen=True, slots=True)
class Question:
    """All conditions must hold; see `station.store.queries.find_attempts`."""

    name: str | None = None
    imei: str | None = None
    serial: str | None = None
    chip: str | None = None
    firmware: str | None = None
    package: str | None = None
    slot: str | None = None
    since_utc_us: int | None = None


def check(question: Question) -> None:
    """An empty question would be answered with everything: an unset variable in a script.

    Raises UsageError.
    """
    asked = {name: value for name, value in asdict(question).items() if value is not None}
    if not asked:
        raise UsageError("ask for something: --name, --imei, --serial, --chip, --since, …")
    _refuse_empty(asked)


def _refuse_empty(asked: Mapping[str, object]) -> None:
    for option, value in asked.items():
        if value == "":
            raise UsageError(f"--{option} is empty")


def since_utc_us(text: str | None) -> int | None:
    """`--since`. Raises UsageError."""
    return None if text is None else parse_since(text, now_utc_us())


def parse_since(text: str, now_us: int) -> int:
    """`2026-11-20`, `2026-11-20T08:00`, or `8h`, `3d`, `2w` ago, as microseconds UTC.

    Raises UsageError showing the forms.
    """
    if ago := _AGO.fullmatch(text):
        return now_us - int(ago[1]) * _UNIT_US[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--since {text!r} is neither a date such as 2026-11-20T08:00 (UTC) nor 8h, 3d, 2w"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000


def find(settings: Settings, question: Question, form: str) -> None:
    """Print the attempts that answer the question, oldest first: `json`, `csv` or `table`."""
    records = find_attempts(settings.database, **asdict(question))
    if form == "json":
        for record in records:
            show(attempt_line(record))
    elif form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(ATTEMPT_COLUMNS)
        writer.writerows(attempt_row(record) for record in records)
        show(text.getvalue())
    elif records:
        print_history(records)


def events(
    settings: Settings,
    *,
    since_utc_us: int | None,
    slot: str | None,
    kind: str | None,
    as_json: bool,
) -> None:
    """Print what people did to the line, oldest first: JSON lines or a table.

    Raises UsageError.
    """
    _refuse_empty({"slot": slot, "kind": kind})
    found = find_events(settings.database, since_utc_us=since_utc_us, slot=slot, kind=kind)
    if as_json:
        for event in found:
            show(event_line(event))
    elif found:
        print_events(found)


def event_line(event: StationEvent) -> str:
    """The event as one line of ASCII JSON; names stay, nothing is taken away."""
    moment = _EPOCH + timedelta(microseconds=event.utc_us)
    return json.dumps(
        {
            "event_id": event.event_id,
            "station": event.station,
            "utc": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "kind": event.kind,
            "actor": event.actor,
            "peer_uid": event.peer_uid,
            "peer_user": event.peer_user,
            "role": event.role,
            "slot": event.slot,
            "detail": event.detail,
        }
    )
