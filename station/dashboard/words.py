"""Times, rates and texts as people read them."""

import textwrap
from datetime import UTC, datetime, timedelta

from rich.cells import cell_len, set_cell_size

from station.model import Outcome

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_OTHER_WAY = ", or "

_STEPS = {
    "again": "trying again",
    "identify": "who is it",
    "select": "which recipe",
    "preflight": "checking the package",
    "backup": "module backs itself up",
    "enter_edl": "switching to download",
    "load_programmer": "starting the programmer",
    "configure": "setting it up",
    "partition_table": "checking the layout",
    "dump": "keeping its EFS2",
    "erase": "erasing",
    "program": "writing",
    "verify": "reading back",
    "reset": "restarting",
    "confirm": "waiting for its return",
    "give_back": "giving it back",
    "recover": "trying to recover",
}


def doing(step: str) -> str:
    """What goes on in a step, or is waited for, in an operator's words; a stranger by its name."""
    return _STEPS.get(step, step)


def outcome_word(outcome: Outcome) -> str:
    """NO CHANGE, as on a tile."""
    return outcome.value.replace("_", " ")


def as_on_tiles(text: str) -> str:
    """A line of the log with verdicts written as the tiles show them."""
    for outcome in Outcome:
        text = text.replace(outcome.value, outcome_word(outcome))
    return text


def local(utc_us: int) -> datetime:
    """The moment on the clock on the wall."""
    try:
        return (_EPOCH + timedelta(microseconds=utc_us)).astimezone()
    except (OverflowError, ValueError, OSError):
        return _EPOCH  # a clock that is wrong by centuries is not worth a crash


def clock(utc_us: int) -> str:
    """10:42:31, local time."""
    return f"{local(utc_us):%H:%M:%S}"


def moment(utc_us: int, now_utc_us: int) -> str:
    """10:42 when it was today, else with month and day. Local time."""
    when = local(utc_us)
    today = when.date() == local(now_utc_us).date()
    return f"{when:%H:%M}" if today else f"{when:%m-%d %H:%M}"


def duration(length_us: int) -> str:
    """0:43, 12:05, 1:02:03."""
    minutes, seconds = divmod(max(length_us, 0) // 1_000_000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def time_left(until_utc_us: int | None, now_utc_us: int) -> str:
    """0:23, counting down to 0:00."""
    return duration((until_utc_us or now_utc_us) - now_utc_us)


def rate(bytes_per_s: int) -> str:
    """4.1 MB/s; empty until it is known."""
    return f"{bytes_per_s / 1e6:.1f} MB/s" if bytes_per_s > 0 else ""


def percent(done_bytes: int, total_bytes: int) -> int:
    """0 to 100, and 100 only when all is done."""
    return max(0, min(100, done_bytes * 100 // total_bytes)) if total_bytes > 0 else 0


def wrapped(text: str, width: int, rows: int) -> list[str]:
    """At most `rows` lines of the text; the last one says … when there was more. Another way
    ("…, or …") is left out before the first is cut."""
    lines = textwrap.wrap(text, max(width, 1))
    if len(lines) <= rows or rows < 1:
        return lines[: max(rows, 0)]
    first = textwrap.wrap(f"{text.split(_OTHER_WAY)[0]}…", max(width, 1))
    if _OTHER_WAY in text and len(first) <= rows:
        return first
    last = lines[rows - 1][: max(width - 1, 0)].rstrip()
    return [*lines[: rows - 1], f"{last}…"]


def cut(text: str, width: int) -> str:
    """The text, or its beginning and … where it does not fit."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, max(width - 1, 0))}…"


def cut_front(text: str, width: int) -> str:
    """The text, or … and its end where it does not fit: builds of a module differ there."""
    return text if len(text) <= width else f"…{text[len(text) - max(width - 1, 0) :]}"
