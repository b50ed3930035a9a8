"""`station audit find`: which serial got which firmware. Reads only; works while an engine runs."""

import csv
import io
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from station.commands.exits import show
from station.commands.reporter import print_history
from station.config import Settings
from station.errors import UsageError
from station.store.queries import find_attempts
from station.wire import ATTEMPT_COLUMNS, attempt_line, attempt_row

_AGO = re.compile(r"(\d{1,5})([hdw])")
_UNIT_US = {"h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}


@dataclass(frozen=True, slots=True)
class Question:
    """All conditions must hold; see `station.store.queries.find_attempts`."""

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
        raise UsageError("ask for something: --imei, --serial, --chip, --since, …")
    for name, value in asked.items():
        if value == "":
            raise UsageError(f"--{name} is empty")


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
