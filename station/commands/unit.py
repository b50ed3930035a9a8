"""`station unit`: which units are not touched, and who said so.

The engine writes it, if one runs; else the command does, holding the engine's lock meanwhile.
"""

import json
import os
from datetime import UTC, datetime
from functools import partial

from rich.table import Table
from rich.text import Text

from station.commands.append import append
from station.commands.exits import say, show
from station.commands.line import command_of
from station.commands.options import user_name
from station.commands.reporter import print_table
from station.config import Settings
from station.engine.people import Asker, judgement, people_of
from station.store.unit_events import (
    QUARANTINED,
    RELEASED,
    UnitEvent,
    find_quarantined,
    names_of_unit,
)
from station.store.writer import Store, now_utc_us
from station.wire import Quarantine, ReleaseUnit

_COMMANDS = {QUARANTINED: "quarantine", RELEASED: "release_unit"}


def judge(settings: Settings, kind: str, name: str, *, by: str, reason: str) -> None:
    """Put a unit in quarantine, or release it, and say so. Raises UsageError, StationError."""
    command = command_of(_COMMANDS[kind], unit=name, by=by, reason=reason)
    if not isinstance(command, Quarantine | ReleaseUnit):
        raise TypeError(kind)
    append(settings, command, partial(_judge_alone, settings, command))
    say(f"unit {command.unit}: {kind}, and on record")


async def _judge_alone(settings: Settings, command: Quarantine | ReleaseUnit, store: Store) -> None:
    people = await people_of(store, settings.station.name)
    asker = Asker(os.getuid(), user_name())
    await store.judge_unit(judgement(people, command, asker, now_utc_us()))


def show_quarantined(settings: Settings, *, as_json: bool) -> None:
    """The units in quarantine now, oldest first: JSON lines or a table."""
    held = find_quarantined(settings.database)
    names = [_names(settings, event) for event in held]
    if as_json:
        for event, called in zip(held, names, strict=True):
            show(_line(event, called))
    elif held:
        table = Table("since (UTC)", "names", "by", "reason")
        for event, called in zip(held, names, strict=True):
            since = f"{datetime.fromtimestamp(event.utc_us / 1e6, UTC):%Y-%m-%d %H:%M:%S}"
            words = (", ".join(called), event.actor or "the station", event.reason)
            table.add_row(since, *map(Text, words))
        print_table(table)


def _names(settings: Settings, event: UnitEvent) -> list[str]:
    return [
        f"{kind.value} {value}" for kind, value in names_of_unit(settings.database, event.unit_id)
    ]


def _line(event: UnitEvent, names: list[str]) -> str:
    return json.dumps(
        {
            "unit_id": event.unit_id,
            "names": names,
            "since_utc_us": event.utc_us,
            "by": event.actor,
            "reason": event.reason,
            "attempt_id": event.attempt_id,
            "station": event.station,
        }
    )
