"""How each slot was over time: a row where its state changed."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from station.store import schema
from station.store.batch import Batch
from station.store.reading import reading

OFF = "off"
"""The engine ended; every other state is one of `station.live.SlotState`. An engine that was
killed could not say so: its last states last until the next start."""

_state = schema.slot_state
_told = schema.slot_state.alias("told")

_Ids = sa.Select[tuple[str]]


@dataclass(frozen=True, slots=True)
class SlotChange:
    """From then on the slot is in this state. `change_id` is made at that moment: ids have the
    order of what happened, whatever the clock said."""

    change_id: str
    station: str
    utc_us: int
    slot: str
    state: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A slot in one state; `until_utc_us` None: it still is."""

    slot: str
    state: str
    from_utc_us: int
    until_utc_us: int | None


def insert_slot_changes(batch: Batch, changes: Sequence[SlotChange]) -> None:
    rows = [
        {"id": c.change_id, "station": c.station, "utc_us": c.utc_us, "slot": c.slot}
        | {"state": c.state}
        for c in changes
    ]
    batch.insert(_state, rows)


def slots_of(url: str, station: str) -> Sequence[str]:
    """Every slot that the station ever had, by name. Raises as `station.store.queries`."""
    query = sa.select(_state.c.slot).where(_state.c.station == station).distinct()
    with reading(url) as connection:
        return connection.scalars(query.order_by(_state.c.slot)).all()


def has_states(url: str, station: str) -> bool:
    """Whether it ever told any; raises as `station.store.queries`."""
    query = sa.select(sa.literal(1)).where(_state.c.station == station).limit(1)
    with reading(url) as connection:
        return connection.scalar(query) is not None


def slot_intervals(
    url: str,
    station: str,
    slots: Collection[str],
    *,
    since_utc_us: int | None = None,
    until_utc_us: int | None = None,
) -> Iterator[Interval]:
    """Slot by slot, oldest first; with `since_utc_us` from the state it was in then, and in any
    case the one that lasts until now; with `until_utc_us` those that began before, whole. One
    moment of the record for each slot. Raises as `station.store.queries`."""
    for slot in slots:
        for one in _of_slot(url, station, slot, since_utc_us, until_utc_us):
            if _is_within(one, since_utc_us, until_utc_us):
                yield one


def _is_within(one: Interval, since_utc_us: int | None, until_utc_us: int | None) -> bool:
    """Where the clock was set back, one ends before it began."""
    from_us, to_us = one.from_utc_us, one.until_utc_us
    if until_utc_us is not None and from_us >= until_utc_us:
        return False
    return since_utc_us is None or to_us is None or max(from_us, to_us - 1) >= since_utc_us


def _of_slot(
    url: str, station: str, slot: str, since_utc_us: int | None, until_utc_us: int | None
) -> Iterator[Interval]:
    """All that are within, and some more."""
    of_slot = [_state.c.station == station, _state.c.slot == slot]
    ids = sa.select(_state.c.id).where(*of_slot)  # an index holds them: millions in a moment
    asked = ids
    with reading(url) as connection:
        if since_utc_us is not None:
            asked = asked.where(_state.c.id >= _first_id(connection, ids, since_utc_us))
        if until_utc_us is not None:
            asked = asked.where(_state.c.id <= _last_id(connection, ids, until_utc_us))
        query = sa.select(_told.c.utc_us, _told.c.state).where(_told.c.id.in_(asked))
        rows = connection.execute(query.order_by(_told.c.id)).all()
    ends = [*(row.utc_us for row in rows[1:]), None]
    for (utc_us, state), end in zip(rows, ends, strict=False):  # of no rows there is no end
        yield Interval(slot, state, utc_us, end)


# Ids have the order of what happened, whatever the clock said: the last state is that of now.


def _first_id(connection: sa.Connection, ids: _Ids, since_utc_us: int) -> str:
    """Of the state before the first that began since; of the last where none did."""
    begun = _end(connection, sa.func.min, ids.where(_state.c.utc_us >= since_utc_us))
    before = ids if begun is None else ids.where(_state.c.id < begun)
    return _end(connection, sa.func.max, before) or begun or ""


def _last_id(connection: sa.Connection, ids: _Ids, until_utc_us: int) -> str:
    """Of the state after the last that began until then, which ends it."""
    begun = _end(connection, sa.func.max, ids.where(_state.c.utc_us < until_utc_us))
    if begun is None:
        return ""
    return _end(connection, sa.func.min, ids.where(_state.c.id > begun)) or begun


def _end(connection: sa.Connection, end: Callable[..., sa.Function[str]], ids: _Ids) -> str | None:
    return connection.scalar(sa.select(end(ids.subquery().c.id)))
