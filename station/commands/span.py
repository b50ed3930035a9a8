"""`--since` and `--until`: from when to when a question is about."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from station.errors import UsageError
from station.store.writer import now_utc_us

_AGO = re.compile(r"(\d{1,5})([hdw])")
_UNIT_US = {"h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}


class Span(NamedTuple):
    """Microseconds UTC: `since_utc_us` is within, `until_utc_us` is not. None: without an end."""

    since_utc_us: int | None = None
    until_utc_us: int | None = None

    def holds(self, utc_us: int) -> bool:
        since, until = self
        return (since is None or utc_us >= since) and (until is None or utc_us < until)


def span_of(since: str | None, until: str | None) -> Span:
    """Raises UsageError for what is no time, and where nothing can lie between the two."""
    now_us = now_utc_us()
    since_us = None if since is None else parse_moment(since, now_us, option="--since")
    until_us = None if until is None else parse_moment(until, now_us, option="--until")
    if since_us is not None and until_us is not None and since_us >= until_us:
        raise UsageError(f"--since {since} is not before --until {until}: nothing lies between")
    return Span(since_us, until_us)


def parse_moment(text: str, now_us: int, *, option: str) -> int:
    """`2026-11-20`, `2026-11-20T08:00`, or `8h`, `3d`, `2w` ago, as microseconds UTC.

    Raises UsageError showing the forms.
    """
    if ago := _AGO.fullmatch(text):
        return now_us - int(ago[1]) * _UNIT_US[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text[:64]!r} is neither a date such as 2026-11-20T08:00 (UTC) "
            "nor 8h, 3d, 2w"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{option} {text!r} is before the year 1 or after 9999 in UTC") from None
    return int(moment.timestamp()) * 1_000_000
