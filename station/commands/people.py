"""`station operator`: who works here, and as what."""

import json
import os
from datetime import UTC, datetime
from functools import partial

from rich.table import Table
from rich.text import Text

from station.commands.append import append
from station.commands.exits import show
from station.commands.line import command_of
from station.commands.options import user_name
from station.commands.reporter import print_table
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


def show_all(settings: Settings, *, as_json: bool) -> None:
    """Those who work here; as JSON those who retired, too. Works while an engine runs."""
    found = operators(settings.database, settings.station.name)
    if as_json:
        for one in found:
            show(_line(one))
        return
    table = Table("name", "role", "badge", "since (UTC)", "by", "reason")
    for one in found:
        if one.is_active:
            since = f"{datetime.fromtimestamp(one.utc_us / 1e6, UTC):%Y-%m-%d %H:%M}"
            badge = "" if one.badge_sha256 is None else "yes"
            by = one.actor or one.peer_user or ""
            words = (one.name, one.role.value, badge, since, by, one.reason)
            table.add_row(*(Text(plain(word)) for word in words))
    if table.row_count:
        print_table(table)
    else:
        show("nobody is registered: names are not checked")


def _line(one: Operator) -> str:
    return json.dumps(
        {
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
    )
