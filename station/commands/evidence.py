"""`station evidence prune`: old transcripts are deleted, their rows stay. An engine may run."""

import os
from datetime import UTC, datetime

import trio

from station.commands.exits import show
from station.commands.flash import operator
from station.config import Settings
from station.evidence.cabinet import Cabinet
from station.model import EVIDENCE_PRUNED, AttemptClosed, EvidenceRef, StationEvent
from station.store.events import find_events
from station.store.ids import new_id
from station.store.kept import evidence_before
from station.store.writer import now_utc_us, open_store

DAY_US = 86_400_000_000
MAX_DAYS = 36_500


def prune(settings: Settings, days: int, *, dry_run: bool) -> None:
    """Delete the transcripts of attempts that ended more than `days` ago; say how much that was.

    It is on record before the first file goes: what is missing then has a reason. Raises
    StoreError; asked again, it goes on where it was cut off.
    """
    before_utc_us = now_utc_us() - days * DAY_US
    cabinet = Cabinet(settings.evidence)
    named = evidence_before(settings.database, settings.station.name, before_utc_us)
    found = [ref for ref in named if cabinet.has(ref)]
    amount = f"{_amount(found)} of attempts that ended before {_day(before_utc_us)} UTC"
    if not found:
        show(f"no transcripts of attempts that ended before {_day(before_utc_us)} UTC")
    elif dry_run:
        show(f"would delete {amount}")
    else:
        trio.run(_record, settings, _event(settings, days, before_utc_us, found))
        for ref in found:
            cabinet.remove(ref)
        show(f"deleted {amount}")


def pruned(settings: Settings, closed: AttemptClosed) -> StationEvent | None:
    """When the transcripts of this attempt's age were deleted first; None: they never were."""
    for event in find_events(settings.database, kind=EVIDENCE_PRUNED):
        before = event.detail.get("before_utc_us")
        is_ours = event.station == settings.station.name
        if is_ours and isinstance(before, int) and closed.ended_utc_us < before:
            return event
    return None


def _event(
    settings: Settings, days: int, before_utc_us: int, found: list[EvidenceRef]
) -> StationEvent:
    return StationEvent(
        event_id=new_id(),
        station=settings.station.name,
        utc_us=now_utc_us(),
        kind=EVIDENCE_PRUNED,
        actor=operator(),
        peer_uid=os.getuid(),
        peer_user=operator(),
        detail={
            "older_than_days": days,
            "before_utc_us": before_utc_us,
            "files": len(found),
            "bytes": _bytes(found),
        },
    )


async def _record(settings: Settings, event: StationEvent) -> None:
    async with open_store(settings.database) as store:
        await store.add_event(event)


def _amount(found: list[EvidenceRef]) -> str:
    what = "transcript" if len(found) == 1 else "transcripts"
    return f"{len(found)} {what}, {_bytes(found) / 1e6:.1f} MB,"


def _bytes(found: list[EvidenceRef]) -> int:
    return sum(ref.stored_bytes for ref in found)


def _day(utc_us: int) -> str:
    return f"{datetime.fromtimestamp(utc_us / 1e6, UTC):%Y-%m-%d %H:%M}"
