"""`station evidence prune`: old transcripts and dumps are deleted, their rows stay. An engine that
runs puts it on record."""

import os
from datetime import UTC, datetime
from functools import partial

from station.commands.append import append
from station.commands.exits import show
from station.commands.line import command_of
from station.commands.options import user_name
from station.config import Settings
from station.engine.people import people_of
from station.evidence.cabinet import Cabinet
from station.model import EVIDENCE_PRUNED, AttemptClosed, EvidenceRef, Person, StationEvent
from station.store.events import find_events
from station.store.ids import new_id
from station.store.kept import evidence_before
from station.store.writer import Store, now_utc_us
from station.wire import Prune

DAY_US = 86_400_000_000
MAX_DAYS = 36_500


def prune(
    settings: Settings,
    days: int,
    *,
    dry_run: bool,
    by: str | None = None,
    reason: str | None = None,
) -> None:
    """Delete what was kept of attempts that ended more than `days` ago; say how much that was.

    It is on record before the first file goes: what is missing then has a reason. A dump that was
    kept again since is a younger attempt's, too, and stays. Raises StoreError; asked again, it
    goes on where it was cut off; and for who may not as `People.engineer`.
    """
    before_utc_us = now_utc_us() - days * DAY_US
    cabinet = Cabinet(settings.evidence)
    named = evidence_before(settings.database, settings.station.name, before_utc_us)
    found = [ref for ref in named if _is_old(cabinet, ref, before_utc_us)]
    amount = f"{_amount(found)} of attempts that ended before {_day(before_utc_us)} UTC"
    if not found:
        show(f"nothing is kept of attempts that ended before {_day(before_utc_us)} UTC")
    elif dry_run:
        show(f"would delete {amount}")
    else:
        command = command_of(
            "prune",
            by=user_name() if by is None else by,
            reason=reason,
            older_than_days=days,
            before_utc_us=before_utc_us,
            files=len(found),
            bytes=_bytes(found),
        )
        if not isinstance(command, Prune):
            raise TypeError(command)
        append(settings, command, partial(_record_alone, settings, command))
        for ref in found:
            if _is_old(cabinet, ref, before_utc_us):  # still: an engine may have kept it just now
                cabinet.remove(ref)
        show(f"deleted {amount}")


def _is_old(cabinet: Cabinet, ref: EvidenceRef, before_utc_us: int) -> bool:
    kept_utc_us = cabinet.kept_utc_us(ref)
    return kept_utc_us is not None and kept_utc_us < before_utc_us


def pruned(settings: Settings, closed: AttemptClosed) -> StationEvent | None:
    """When evidence of this attempt's age was deleted first; None: it never was."""
    for event in find_events(settings.database, kind=EVIDENCE_PRUNED):
        before = event.detail.get("before_utc_us")
        is_ours = event.station == settings.station.name
        if is_ours and isinstance(before, int) and closed.ended_utc_us < before:
            return event
    return None


async def _record_alone(settings: Settings, command: Prune, store: Store) -> None:
    people = await people_of(store, settings.station.name)
    user = user_name()
    person = people.engineer(command.by, command.reason) or Person(user)
    event = StationEvent(
        event_id=new_id(),
        station=settings.station.name,
        utc_us=now_utc_us(),
        kind=EVIDENCE_PRUNED,
        actor=person.name,
        peer_uid=os.getuid(),
        peer_user=user,
        detail=command.facts(),
        role=None if person.role is None else person.role.value,
    )
    await store.add_event(event)


def _amount(found: list[EvidenceRef]) -> str:
    what = "file" if len(found) == 1 else "files"
    return f"{len(found)} {what}, {_bytes(found) / 1e6:.1f} MB,"


def _bytes(found: list[EvidenceRef]) -> int:
    return sum(ref.stored_bytes for ref in found)


def _day(utc_us: int) -> str:
    return f"{datetime.fromtimestamp(utc_us / 1e6, UTC):%Y-%m-%d %H:%M}"
