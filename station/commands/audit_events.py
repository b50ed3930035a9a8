"""`station audit events`: what people did to the line, to units and to the list of those who work
here, and when the engine ran."""

import json
import re
from collections.abc import Iterator, Mapping

from station.commands.answers import Form, Shape, answer
from station.commands.audit import check_words
from station.commands.audit_names import or_why_none
from station.commands.reporter import moment
from station.commands.span import Span
from station.config import Settings
from station.errors import UsageError
from station.model import EVENT_KINDS, Fact, Operator, Role, StationEvent
from station.store.events import find_events, kinds_on_record
from station.store.people import changes
from station.store.scope import is_meant
from station.store.unit_events import (
    QUARANTINED,
    RELEASED,
    UnitEvent,
    find_unit_events,
    names_of_unit,
)
from station.wire import rfc3339

_ABOUT_UNITS = {QUARANTINED: "unit_quarantined", RELEASED: "unit_released"}
"""As they are told, so that nobody takes them for a slot that was held or released."""
_ABOUT_PEOPLE = {True: "operator_add", False: "operator_retire"}
"""By whether they work here from then on."""
KINDS = tuple(sorted({*EVENT_KINDS, *_ABOUT_UNITS.values(), *_ABOUT_PEOPLE.values()}))

_DIGEST = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")
_FIRST = r"\1"
"""As much of a digest as a person compares."""
_MOMENT = "_utc_us"
_FAR_UTC_US = 1 << 53


def tell_events(
    settings: Settings,
    *,
    span: Span,
    station: str | None,
    slot: str | None,
    kind: str | None,
    form: Form,
) -> None:
    """Print the events that meet every condition, oldest first. `kind`: exact, or `prefix*`. Raises
    UsageError, also for a kind that there is not."""
    check_words({"station": station, "slot": slot, "kind": kind})
    _check_kind(settings, kind)
    found = find_events(settings.database, **span._asdict(), station=station, slot=slot, kind=kind)
    if slot is None:
        found += _of_units(settings, span, station, kind)
        found += _of_people(settings, span, station, kind)
    found.sort(key=lambda one: (one.utc_us, one.event_id))
    answer(or_why_none(found, settings, station=station, slot=slot), _EVENTS, form)


def _check_kind(settings: Settings, kind: str | None) -> None:
    """One that is on record can be asked for, whoever made it. Raises UsageError."""
    if any(_is_asked(one, kind) for one in KINDS):
        return
    there_are = sorted({*KINDS, *kinds_on_record(settings.database)})
    if not any(_is_asked(one, kind) for one in there_are):
        raise UsageError(f"--kind {(kind or '')[:64]!r} is none of {', '.join(there_are)}")


def _is_asked(told: str, kind: str | None) -> bool:
    return kind is None or is_meant(told, kind)


def _of_units(
    settings: Settings, span: Span, station: str | None, kind: str | None
) -> Iterator[StationEvent]:
    wanted = {one for one, told in _ABOUT_UNITS.items() if _is_asked(told, kind)}
    if wanted:
        for event in find_unit_events(settings.database, **span._asdict(), station=station):
            if event.kind in wanted:
                yield _of_unit(settings, event)


def _of_unit(settings: Settings, event: UnitEvent) -> StationEvent:
    names = names_of_unit(settings.database, event.unit_id)
    return StationEvent(
        event_id=event.event_id,
        station=event.station,
        utc_us=event.utc_us,
        kind=_ABOUT_UNITS[event.kind],
        actor=event.actor,
        peer_uid=event.peer_uid,
        peer_user=event.peer_user,
        role=event.role,
        detail={
            "unit": ", ".join(f"{kind.value} {value}" for kind, value in names),
            "unit_id": event.unit_id,
            "reason": event.reason,
            "attempt_id": event.attempt_id,
        },
    )


def _of_people(
    settings: Settings, span: Span, station: str | None, kind: str | None
) -> Iterator[StationEvent]:
    wanted = {one for one, told in _ABOUT_PEOPLE.items() if _is_asked(told, kind)}
    if wanted:
        for changed, role in changes(settings.database):
            is_there = span.holds(changed.utc_us) and station in (None, changed.station)
            if is_there and changed.is_active in wanted:
                yield _of_person(changed, role)


def _of_person(changed: Operator, role: Role | None) -> StationEvent:
    """`role`: of who said so; that in the detail was given, or taken."""
    return StationEvent(
        event_id=changed.operator_id,
        station=changed.station,
        utc_us=changed.utc_us,
        kind=_ABOUT_PEOPLE[changed.is_active],
        actor=changed.actor,
        peer_uid=changed.peer_uid,
        peer_user=changed.peer_user,
        role=None if role is None else role.value,
        detail={
            "name": changed.name,
            "role": changed.role.value,
            "has_badge": changed.badge_sha256 is not None,
            "reason": changed.reason,
        },
    )


def _facts(event: StationEvent) -> Mapping[str, object]:
    facts = {key: getattr(event, key) for key in _KEYS if key != "utc"}
    return {key: facts.get(key, rfc3339(event.utc_us)) for key in _KEYS}


_KEYS = (
    *("event_id", "station", "utc", "kind", "actor", "peer_uid", "peer_user", "role", "slot"),
    "detail",
)
_EVENTS: Shape[StationEvent] = Shape(
    _KEYS,
    _facts,
    {
        "when (UTC)": lambda one: moment(one.utc_us),
        "station": lambda one: one.station,
        "kind": lambda one: one.kind,
        "slot": lambda one: one.slot or "-",
        "person": lambda one: one.actor or "-",
        "role": lambda one: one.role or "-",
        "user": lambda one: (
            one.peer_user or ("-" if one.peer_uid is None else f"uid {one.peer_uid}")
        ),
        "detail": lambda one: _in_words(one.detail),
    },
)


def _in_words(detail: Mapping[str, Fact]) -> str:
    """`recipes: …; target: 500`, shapes within as JSON; nothing and 0 are left out."""
    return "; ".join(_fact(*item) for item in detail.items() if item[1] not in (None, "", 0))


def _fact(key: str, value: Fact) -> str:
    if key.endswith(_MOMENT) and isinstance(value, int) and 0 < value < _FAR_UTC_US:
        key, value = key.removesuffix(_MOMENT), moment(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{key.replace('_', ' ')}: {_DIGEST.sub(_FIRST, text)}"
