"""Campaigns in the record: what was decided of each slot, what happened, what came of it.

The functions that write take a batch (`Store.write`); those that ask take the database's URL
(`Store.ask`) and raise as `station.store.queries`.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import sqlalchemy as sa

from station.model import AttemptRecord, Fact, Outcome, StationEvent, Unit
from station.store import schema
from station.store.batch import Batch, head
from station.store.reading import reading
from station.store.records import records
from station.store.rows import event_row
from station.store.scope import Scope
from station.store.units import known_units
from station.store.yields import Yield, yield_of

_campaign = schema.campaign
_slot = schema.campaign_slot
_event = schema.campaign_event
_opened = schema.attempt_opened
_closed = schema.attempt_closed

_LOOKED_BACK = 500
"""Passed attempts that tell how long one takes."""


class Decided(Enum):
    """What a campaign does with the module in a slot: the first three it works on, no other."""

    FLASH = "flash"
    VERIFY = "verify"
    RESUME = "resume"
    EMPTY = "empty"
    SLOT_OUT = "slot_out"
    UNKNOWN = "unknown"
    QUARANTINED = "quarantined"
    BLOCKED = "blocked"
    NOT_MEANT = "not_meant"
    OVER_LIMIT = "over_limit"

    @property
    def is_work(self) -> bool:
        return self in (Decided.FLASH, Decided.VERIFY, Decided.RESUME)


@dataclass(frozen=True, slots=True)
class CampaignBegun:
    """One night. `policy` is the text of its file; `actor` who started it."""

    campaign_id: str
    station: str
    utc_us: int
    name: str
    policy_sha256: str
    policy: str
    actor: str | None = None
    peer_uid: int | None = None
    peer_user: str | None = None


@dataclass(frozen=True, slots=True)
class CampaignSlot:
    """What was decided of a slot before its module was touched. `ordinal` is its place in the order
    of work, 0 where there is none."""

    slot: str
    decided: Decided
    reason: str
    ordinal: int = 0
    unit_id: str | None = None
    unit: Unit = field(default_factory=Unit)
    recipe: str | None = None
    target: str | None = None
    """The version the recipe makes."""
    family: str = ""
    expected_us: int | None = None
    """How long such work took before."""


@dataclass(frozen=True, slots=True)
class CampaignEvent:
    """`started`, `resumed`, `group`, `not_started`, `slot_out`, `aborted`, `stopped`, `ended`,
    `sheet`, `no_sheet`."""

    event_id: str
    station: str
    utc_us: int
    campaign_id: str
    kind: str
    detail: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CampaignStory:
    """All that the record has of a campaign; attempts by slot, oldest first. `head`: number and
    hash of the link of the station's chain by which its end is on record, however much came later;
    the last one while it goes on. `units`: those with an attempt; one without a name is none."""

    begun: CampaignBegun
    slots: tuple[CampaignSlot, ...]
    events: tuple[CampaignEvent, ...]
    attempts: Mapping[str, tuple[AttemptRecord, ...]]
    head: tuple[int, str]
    yielded: Yield
    units: int

    @property
    def over(self) -> CampaignEvent | None:
        """How it ended; None while it goes on, or an engine died in it."""
        return next((e for e in self.events if e.kind in _LAST), None)

    @property
    def newest_utc_us(self) -> int:
        """The latest time that is on record of it."""
        events = (event.utc_us for event in self.events)
        attempts = [record for some in self.attempts.values() for record in some]
        opened = (record.opened.started_utc_us for record in attempts)
        closed = (record.closed.ended_utc_us for record in attempts if record.closed)
        return max(self.begun.utc_us, *events, *opened, *closed)

    @property
    def aborted(self) -> str | None:
        """Who ended it, and why: no engine goes on with it, whether it has its end yet or not."""
        event = self.event("aborted")
        return None if event is None else str(event.detail["why"])

    def event(self, kind: str) -> CampaignEvent | None:
        """The first of this kind."""
        return next((e for e in self.events if e.kind == kind), None)


_LAST = ("ended", "stopped")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the record knows of a unit. `was_good`: it had a PASS or NO_CHANGE."""

    unit_ids: tuple[str, ...] = ()
    was_good: bool = False


# --- writing ----------------------------------------------------------------------------------


def insert_campaign(
    batch: Batch,
    begun: CampaignBegun,
    slots: Sequence[CampaignSlot],
    started: CampaignEvent,
    asked: StationEvent | None = None,
) -> None:
    """A campaign with every decision, before any module is touched; `asked`: by whom, and why."""
    row = {name: getattr(begun, name) for name in _BEGUN}
    batch.insert(_campaign, [{"id": begun.campaign_id, **row}])
    batch.insert(_slot, [_slot_row(begun, slot) for slot in slots])
    insert_event(batch, started)
    if asked is not None:
        batch.insert(schema.station_event, [event_row(asked)])


def insert_event(batch: Batch, event: CampaignEvent) -> None:
    row = {name: getattr(event, name) for name in ("station", "utc_us", "campaign_id", "kind")}
    detail = json.dumps(dict(event.detail), sort_keys=True)
    batch.insert(_event, [{"id": event.event_id, **row, "detail": detail}])


_BEGUN = (
    "station", "utc_us", "name", "policy_sha256", "policy", "actor", "peer_uid", "peer_user",
)  # fmt: skip
_KEPT = ("recipe", "target", "family", "expected_us")
_NAMES = ("imei", "serial", "chip_serial", "model", "sku", "firmware")


def _slot_row(begun: CampaignBegun, slot: CampaignSlot) -> dict[str, Any]:
    facts = {name: getattr(slot, name) for name in _KEPT}
    facts |= {name: getattr(slot.unit, name) for name in _NAMES}
    known = {name: fact for name, fact in facts.items() if fact not in (None, "")}
    return {
        "campaign_id": begun.campaign_id,
        "slot": slot.slot,
        "station": begun.station,
        "utc_us": begun.utc_us,
        "ordinal": slot.ordinal,
        "decision": slot.decided.value,
        "reason": slot.reason,
        "unit_id": slot.unit_id,
        "detail": json.dumps(known, sort_keys=True),
    }


# --- asking about campaigns -------------------------------------------------------------------


def story_of(url: str, campaign_id: str) -> CampaignStory | None:
    """The campaign whose id begins so; None if there is none, or more than one."""
    wanted = schema.words(campaign_id)
    same = sa.func.substr(_campaign.c.id, 1, len(wanted)) == wanted
    return _story(url, same)


def newest_story(url: str, station: str) -> CampaignStory | None:
    """The station's last campaign."""
    newest = sa.select(sa.func.max(_campaign.c.id)).where(_campaign.c.station == station)
    return _story(url, _campaign.c.id == newest.scalar_subquery())


def _story(url: str, condition: sa.ColumnElement[bool]) -> CampaignStory | None:
    with reading(url) as connection:
        found = connection.execute(sa.select(_campaign).where(condition).limit(2)).mappings().all()
        if len(found) != 1:
            return None
        begun = _begun_of(found[0])
        same = begun.campaign_id
        slots = connection.execute(
            sa.select(_slot).where(_slot.c.campaign_id == same).order_by(_slot.c.ordinal)
        ).mappings()
        events = (
            connection.execute(
                sa.select(_event).where(_event.c.campaign_id == same).order_by(_event.c.id)
            )
            .mappings()
            .all()
        )
        attempts: dict[str, list[AttemptRecord]] = defaultdict(list)
        for record in records(connection, [_opened.c.campaign_id == same], None):
            attempts[record.opened.slot].append(record)
        over = next((event["seq"] for event in events if event["kind"] in _LAST), None)
        seq, digest = head(connection, begun.station, over) or (0, b"")
        return CampaignStory(
            begun,
            tuple(map(_slot_of, slots)),
            tuple(map(_event_of, events)),
            {slot: tuple(some) for slot, some in attempts.items()},
            (seq, digest.hex()),
            yield_of(connection, Scope(campaign_id=same)),
            connection.scalar(_units_of(same)) or 0,
        )


def _units_of(campaign_id: str) -> sa.Select[Any]:
    unit_id = sa.func.coalesce(_closed.c.unit_id, _opened.c.unit_id)
    return (
        sa.select(sa.func.count(unit_id.distinct()))
        .join_from(_opened, _closed, _closed.c.attempt_id == _opened.c.id, isouter=True)
        .where(_opened.c.campaign_id == campaign_id)
    )


def _begun_of(row: Mapping[Any, Any]) -> CampaignBegun:
    return CampaignBegun(campaign_id=row["id"], **{name: row[name] for name in _BEGUN})


def _slot_of(row: Mapping[Any, Any]) -> CampaignSlot:
    detail = json.loads(row["detail"])
    kept = {name: detail[name] for name in _KEPT if name in detail}
    unit = Unit(**{name: detail[name] for name in _NAMES if name in detail})
    return CampaignSlot(
        slot=row["slot"],
        decided=Decided(row["decision"]),
        reason=row["reason"],
        ordinal=row["ordinal"],
        unit_id=row["unit_id"],
        unit=unit,
        **kept,
    )


def _event_of(row: Mapping[Any, Any]) -> CampaignEvent:
    return CampaignEvent(
        event_id=row["id"],
        station=row["station"],
        utc_us=row["utc_us"],
        campaign_id=row["campaign_id"],
        kind=row["kind"],
        detail=json.loads(row["detail"]),
    )


# --- asking about units -----------------------------------------------------------------------


def standing_of(url: str, unit: Unit) -> Standing:
    """What the record knows of this unit, by the rule of `station.store.units`."""
    with reading(url) as connection:
        unit_ids = known_units(connection, unit)
        if not unit_ids:
            return Standing()
        return Standing(tuple(unit_ids), _was_good(connection, unit_ids))


def _was_good(connection: sa.Connection, unit_ids: Collection[str]) -> bool:
    good = sa.select(_closed.c.attempt_id).where(
        _closed.c.unit_id.in_(unit_ids),
        _closed.c.outcome.in_((Outcome.PASS, Outcome.NO_CHANGE)),
    )
    return connection.scalar(good.limit(1)) is not None


def usual_us(url: str, station: str) -> dict[str, int]:
    """How long a passed attempt took on average lately, by the digest of its recipe."""
    query = (
        sa.select(_opened.c.recipe_sha256, _closed.c.duration_us)
        .join_from(_opened, _closed, _closed.c.attempt_id == _opened.c.id)
        .where(_opened.c.station == station, _closed.c.outcome == Outcome.PASS)
        .order_by(_opened.c.id.desc())
        .limit(_LOOKED_BACK)
    )
    spent: dict[str, list[int]] = defaultdict(list)
    with reading(url) as connection:
        for sha256, duration_us in connection.execute(query):
            if sha256 is not None:
                spent[sha256].append(duration_us)
    return {sha256: sum(some) // len(some) for sha256, some in spent.items()}
