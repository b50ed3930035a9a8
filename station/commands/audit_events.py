"""`station audit events`: what people did to the line and to units, and when the engine ran."""

import json
import re
from collections.abc import Mapping

from station.commands.answers import Form, Shape, answer
from station.commands.audit import check_words
from station.commands.reporter import moment
from station.config import Settings
from station.model import Fact, StationEvent
from station.store.events import find_events
from station.store.unit_events import (
    QUARANTINED,
    RELEASED,
    UnitEvent,
    find_unit_events,
    names_of_unit,
)
from station.wire import rfc3339

_ABOUT_UNITS = {"unit_quarantined": QUARANTINED, "unit_released": RELEASED}
"""As they are told, so that nobody takes them for a slot that was held or released."""

_DIGEST = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")
_FIRST = r"\1"
"""As much of a digest as a person compares."""
_MOMENT = "_utc_us"
_FAR_UTC_US = 1 << 53


def tell_events(
    settings: Settings,
    *,
    since_utc_us: int | None,
    station: str | None,
    slot: str | None,
    kind: str | None,
    form: Form,
) -> None:
    """Print the events that meet every condition, oldest first. Raises UsageError."""
    check_words({"station": station, "slot": slot, "kind": kind})
    found = find_events(
        settings.database, since_utc_us=since_utc_us, station=station, slot=slot, kind=kind
    )
    if slot is None and (kind is None or kind in _ABOUT_UNITS):
        found += _of_units(settings, since_utc_us, station, kind)
    answer(sorted(found, key=lambda one: (one.utc_us, one.event_id)), _EVENTS, form)


def _of_units(
    settings: Settings, since_utc_us: int | None, station: str | None, kind: str | None
) -> list[StationEvent]:
    found = find_unit_events(
        settings.database,
        since_utc_us=since_utc_us,
        station=station,
        kind=None if kind is None else _ABOUT_UNITS[kind],
    )
    return [_as_told(settings, event) for event in found]


def _as_told(settings: Settings, event: UnitEvent) -> StationEvent:
    names = names_of_unit(settings.database, event.unit_id)
    return StationEvent(
        event_id=event.event_id,
        station=event.station,
        utc_us=event.utc_us,
        kind=next(told for told, kind in _ABOUT_UNITS.items() if kind == event.kind),
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
