"""How each slot was over time: a row where its state changed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from station.store import schema
from station.store.batch import Batch
from station.store.reading import reading

OFF = "off"
"""The engine ended; every other state is one of `station.live.SlotState`. An engine that was
killed could not say so: its last states last until the next start."""

_state = schema.slot_state


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
    """Slot by slot, oldest first; with `since_utc_us` from the state it was in then, with
    `until_utc_us` those that began before, whole. One moment of the record for each slot. Raises as
    `station.store.queries`."""
    for slot in slots:
        yield from _of_slot(url, station, slot, since_utc_us, until_utc_us)


def _of_slot(
    url: str, station: str, slot: str, since_utc_us: int | None, until_utc_us: int | None
) -> Iterator[Interval]:
    of_slot = [_state.c.station == station, _state.c.slot == slot]
    query = sa.select(_state.c.utc_us, _state.c.state).where(*of_slot).order_by(_state.c.id)
    end_us = None
    with reading(url) as connection:
        if until_utc_us is not None:
            query = query.where(_state.c.utc_us < until_utc_us)
            after = sa.select(sa.func.min(_state.c.utc_us))
            end_us = connection.scalar(after.where(*of_slot, _state.c.utc_us >= until_utc_us))
        if since_utc_us is not None:
            begun = sa.select(sa.func.max(_state.c.utc_us)).where(
                *of_slot, _state.c.utc_us <= since_utc_us
            )
            first_us = connection.scalar(begun)
            query = query.where(_state.c.utc_us >= (first_us or since_utc_us))
        rows = connection.execute(query).all()
    ends = [*(row.utc_us for row in rows[1:]), end_us]
    for (utc_us, state), end in zip(rows, ends, strict=False):  # of no rows there is no end
        yield Interval(slot, state, utc_us, end)
