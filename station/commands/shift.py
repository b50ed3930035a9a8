"""`station shift`: whose shift it is. The running engine knows, and puts it on record."""

import json
from datetime import UTC, datetime

from station.commands.exits import say, show
from station.commands.line import command_of, engine_of, line_of
from station.commands.options import user_name
from station.config import Settings
from station.engine.feed import plain
from station.errors import UsageError
from station.live import ShiftView
from station.wire import Status


def start(settings: Settings, *, operator: str | None, badge: str | None) -> None:
    """By name or by badge. Raises UsageError for both or none."""
    if (operator is None) == (badge is None):
        raise UsageError("say who with --operator NAME, or with --badge CODE")
    command = command_of("shift_start", operator=operator, badge=badge, by=user_name())
    with engine_of(settings) as engine:
        engine.ask(command)
        shift = line_of(engine.ask(Status())).shift
    say(_words(shift))


def end(settings: Settings, by: str | None) -> None:
    with engine_of(settings) as engine:
        engine.ask(command_of("shift_end", by=by or user_name()))
    say("the shift has ended; nothing is started but by a campaign")


def status(settings: Settings, *, as_json: bool) -> None:
    """Whose it is now, on stdout; null for nobody's in JSON."""
    with engine_of(settings) as engine:
        shift = line_of(engine.ask(Status())).shift
    show(_json(shift) if as_json else _words(shift))


def _words(shift: ShiftView | None) -> str:
    """`maria (operator) since 2026-11-28 06:00 UTC; nothing is flashed before a golden unit`"""
    if shift is None:
        return "nobody is on shift"
    role = "" if shift.role is None else f" ({shift.role})"
    since = f"{datetime.fromtimestamp(shift.since_utc_us / 1e6, UTC):%Y-%m-%d %H:%M}"
    waits = "; a golden unit must pass first" if shift.waits_for_golden else ""
    return plain(f"on shift: {shift.operator}{role} since {since} UTC{waits}")


def _json(shift: ShiftView | None) -> str:
    if shift is None:
        return "null"
    return json.dumps(
        {
            "operator": shift.operator,
            "role": shift.role,
            "since_utc_us": shift.since_utc_us,
            "waits_for_golden": shift.waits_for_golden,
        }
    )
