"""`station unit`: which units are not touched, and who said so.

The engine writes it, if one runs; else the command does, holding the engine's lock meanwhile.
"""

import os
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from station.commands.answers import Form, Shape, answer
from station.commands.append import append
from station.commands.exits import say
from station.commands.line import command_of
from station.commands.options import user_name
from station.commands.reporter import moment
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


def show_quarantined(settings: Settings, form: Form) -> None:
    """The units in quarantine now, oldest first."""
    held = find_quarantined(settings.database)
    answer((Held(event, _names(settings, event)) for event in held), _HELD, form)


class Held(NamedTuple):
    """A unit in quarantine: what put it there, and all its names."""

    event: UnitEvent
    names: list[str]


def _names(settings: Settings, event: UnitEvent) -> list[str]:
    return [
        f"{kind.value} {value}" for kind, value in names_of_unit(settings.database, event.unit_id)
    ]


def _facts(one: Held) -> Mapping[str, object]:
    return {
        "unit_id": one.event.unit_id,
        "names": one.names,
        "since_utc_us": one.event.utc_us,
        "by": one.event.actor,
        "reason": one.event.reason,
        "attempt_id": one.event.attempt_id,
        "station": one.event.station,
    }


_HELD: Shape[Held] = Shape(
    ("unit_id", "names", "since_utc_us", "by", "reason", "attempt_id", "station"),
    _facts,
    {
        "since (UTC)": lambda one: moment(one.event.utc_us),
        "names": lambda one: ", ".join(one.names),
        "by": lambda one: one.event.actor or "the station",
        "reason": lambda one: one.event.reason,
    },
)
