"""Times, rates and texts as people read them."""

import textwrap
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def rate(bytes_per_s: int) -> str:
    """4.1 MB/s."""
    return f"{bytes_per_s / 1e6:.1f} MB/s"


def percent(done_bytes: int, total_bytes: int) -> int:
    """0 to 100, and 100 only when all is done."""
    return max(0, min(100, done_bytes * 100 // total_bytes)) if total_bytes > 0 else 0


def wrapped(text: str, width: int, rows: int) -> list[str]:
    """At most `rows` lines of the text; the last one says … when there was more."""
    lines = textwrap.wrap(text, max(width, 1))
    if len(lines) <= rows or rows < 1:
        return lines[: max(rows, 0)]
    last = lines[rows - 1][: max(width - 1, 0)].rstrip()
    return [*lines[: rows - 1], f"{last}…"]


def cut(text: str, width: int) -> str:
    """The text, or its beginning and … where it does not fit."""
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"
