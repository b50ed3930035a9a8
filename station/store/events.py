"""Questions about what people did to the line; see `station.store.queries` for what they raise."""

from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa

from station.model import StationEvent
from station.store import schema
from station.store.reading import reading
from station.store.records import Condition
from station.store.rows import event_of
from station.store.scope import values

_event = schema.station_event


def find_events(
    url: str,
    *,
    since_utc_us: int | None = None,
    until_utc_us: int | None = None,
    station: str | None = None,
    slot: str | None = None,
    kind: str | None = None,
    limit: int | None = None,
) -> list[StationEvent]:
    """The events that meet every condition, newest last; with `limit` the newest so many. `kind`:
    exact, or `prefix*`."""
    conditions = [
        *((_event.c.utc_us >= since_utc_us,) if since_utc_us is not None else ()),
        *((_event.c.utc_us < until_utc_us,) if until_utc_us is not None else ()),
        *((_event.c.station == station,) if station else ()),
        *((_event.c.slot == slot,) if slot else ()),
        *((_is_kind(kind),) if kind else ()),
    ]
    return _read(url, newest(conditions, limit))[::-1]


def _is_kind(wanted: str) -> Condition:
    if wanted.endswith("*"):
        return sa.func.substr(_event.c.kind, 1, len(wanted) - 1) == wanted[:-1]
    return _event.c.kind == wanted


def kinds_on_record(url: str) -> set[str]:
    """Every kind that an event has."""
    with reading(url) as connection:
        return {
            kind
            for station in values(connection, _event.c.station)
            for kind in values(connection, _event.c.kind, _event.c.station == station)
        }


def last_event(url: str, station: str, kind: str) -> StationEvent | None:
    """The station's newest event of this kind."""
    conditions = [_event.c.station == station, _event.c.kind == kind]
    return next(iter(_read(url, last(conditions, 1))), None)


_OUT = ("hold", "taken_out")
_IN = ("release", "slot_lifted")


def held_slots(url: str, station: str) -> dict[str, StationEvent]:
    """The slots that were held or taken out and not let in since, and the event that says so."""
    told = [_event.c.station == station, _event.c.kind.in_((*_OUT, *_IN))]
    held: dict[str, StationEvent] = {}
    for event in reversed(_read(url, last(told, None))):
        if event.slot is not None:
            held.pop(event.slot, None)
            if event.kind in _OUT:
                held[event.slot] = event
    return held


def last_of_each_slot(url: str, station: str, kinds: Collection[str]) -> dict[str, str]:
    """The key of the event by which one of these was last told of each slot."""
    newest_id = sa.func.max(_event.c.id).label("newest_id")
    query = (
        sa.select(_event.c.slot, newest_id)
        .where(_event.c.station == station, _event.c.kind.in_(kinds), _event.c.slot.is_not(None))
        .group_by(_event.c.slot)
    )
    with reading(url) as connection:
        return {row.slot: row.newest_id for row in connection.execute(query)}


def last(conditions: Iterable[Condition], limit: int | None) -> sa.Select[Any]:
    """The rows of `station_event`, the last one written first, whatever the clock said."""
    return sa.select(_event).where(*conditions).order_by(_event.c.id.desc()).limit(limit)


def newest(conditions: Iterable[Condition], limit: int | None) -> sa.Select[Any]:
    """The rows of `station_event`, newest first by their time."""
    return (
        sa.select(_event)
        .where(*conditions)
        .order_by(_event.c.utc_us.desc(), _event.c.id.desc())
        .limit(limit)
    )


def _read(url: str, query: sa.Select[Any]) -> list[StationEvent]:
    with reading(url) as connection:
        return [event_of(row) for row in connection.execute(query).mappings()]
