"""`station operator`: who works here, and as what."""

import os
from collections.abc import Mapping
from functools import partial

from station.commands.answers import Form, Shape, answer
from station.commands.append import append
from station.commands.exits import show
from station.commands.line import command_of
from station.commands.options import user_name
from station.commands.reporter import moment
from station.config import Settings
from station.engine.feed import plain
from station.engine.people import Asker, people_of
from station.model import Operator, Role
from station.store.people import operators
from station.store.writer import Store, now_utc_us
from station.wire import OperatorAdd, OperatorRetire


def change(settings: Settings, what: str, **parts: object) -> None:
    """`operator_add` or `operator_retire` with its parts; say so. Raises UsageError for parts that
    cannot be, StationError for what is refused."""
    command = command_of(what, **({"by": user_name()} | _given(parts)))
    if not isinstance(command, OperatorAdd | OperatorRetire):
        raise TypeError(what)
    append(settings, command, partial(_change_alone, settings, command))
    if isinstance(command, OperatorAdd):
        show(plain(f"{command.name} is registered"))
        return
    show(plain(f"{command.name} is retired"))
    here = operators(settings.database, settings.station.name)
    if not any(one.is_active and one.role is Role.ENGINEER for one in here):
        show("there is no engineer now: from now on nobody is asked for a name, until one is added")


def _given(parts: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in parts.items() if value is not None}


async def _change_alone(
    settings: Settings, command: OperatorAdd | OperatorRetire, store: Store
) -> None:
    people = await people_of(store, settings.station.name)
    await people.change(command, store, Asker(os.getuid(), user_name()), now_utc_us())


def show_all(settings: Settings, form: Form) -> None:
    """Those who work here; for programs those who retired, too. Works while an engine runs."""
    found = operators(settings.database, settings.station.name)
    if form is Form.TABLE:
        found = [one for one in found if one.is_active]
        if not found:
            show("nobody is registered: names are not checked")
    answer(found, _PEOPLE, form)


def _facts(one: Operator) -> Mapping[str, object]:
    return {
        "station": one.station,
        "name": one.name,
        "role": one.role.value,
        "is_active": one.is_active,
        "has_badge": one.badge_sha256 is not None,
        "since_utc_us": one.utc_us,
        "by": one.actor,
        "peer_uid": one.peer_uid,
        "peer_user": one.peer_user,
        "reason": one.reason,
    }


_PEOPLE: Shape[Operator] = Shape(
    (
        *("station", "name", "role", "is_active", "has_badge", "since_utc_us", "by", "peer_uid"),
        *("peer_user", "reason"),
    ),
    _facts,
    {
        "name": lambda one: plain(one.name),
        "role": lambda one: one.role.value,
        "badge": lambda one: "" if one.badge_sha256 is None else "yes",
        "since (UTC)": lambda one: moment(one.utc_us),
        "by": lambda one: plain(one.actor or one.peer_user or ""),
        "reason": lambda one: plain(one.reason),
    },
)
