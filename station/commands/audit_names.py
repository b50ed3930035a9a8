"""An empty answer to a name that this record never had says nothing about any unit: tell so."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from station.commands.exits import say
from station.config import Settings
from station.engine.feed import plain
from station.errors import all_errors
from station.store.never_had import KINDS, NeverHad, like, never_had
from station.store.scope import LAST_SHIFT

T = TypeVar("T")

_SHOWN = 4
_UNIT_BY = {"name": "name", "imei": "IMEI", "serial": "serial", "chip": "chip serial"}


def names_in(asked: object) -> dict[str, str | None]:
    """Those of a question, or of a scope, by their kind."""
    return {kind: getattr(asked, kind, None) for kind in KINDS}


def tell_never_had(settings: Settings, **asked: str | None) -> None:
    """On stderr, a line for each; `asked` as `words_of_never_had`."""
    for words in words_of_never_had(settings, **asked):
        say(words)


def or_why_none(found: Iterable[T], settings: Settings, **asked: str | None) -> Iterator[T]:
    """The same for an answer that shows by itself that these names are on record."""
    left = iter(found)
    first = next(left, None)
    if first is None:
        tell_never_had(settings, **asked)
        return
    yield first
    yield from left


def words_of_never_had(settings: Settings, **asked: str | None) -> Iterator[str]:
    """A line for each name that is not on record, with some that are like it; `asked` by kind, as
    `station.store.never_had`. What the settings or the list of codes have may have none yet."""
    ours = {
        "slot": [one.name for one in settings.slots],
        "station": [settings.station.name],
    }
    left = {
        kind: name
        for kind, name in asked.items()
        if name is not None and name not in ours.get(kind, ()) and not _is_code(kind, name)
    }
    if not left:
        return
    for one in never_had(settings.database, **left):
        if one.kind in ours:
            there_are = like(one.wanted, list({*one.there_are, *ours[one.kind]}))
            one = one._replace(there_are=there_are)
        yield plain(_words(one))


def _is_code(kind: str, name: str) -> bool:
    return kind == "code" and name.upper() in {error.code for error in all_errors()}


def _words(one: NeverHad) -> str:
    if one.kind in _UNIT_BY:
        return f"no unit on this record goes by the {_UNIT_BY[one.kind]} {one.wanted}"
    if one.kind == "shift":
        return _words_of_shift(one.wanted)
    near, more = one.there_are[:_SHOWN], len(one.there_are) - _SHOWN
    there_are = f"there are: {', '.join(near)}" if near else "there is none"
    return (
        f"no {one.kind} on this record is called {one.wanted}; {there_are}"
        f"{f' and {more} more' if more > 0 else ''}"
    )


def _words_of_shift(wanted: str) -> str:
    if wanted == LAST_SHIFT:
        return "there is no shift on this record"
    return f"no shift on this record has the id {wanted}; `audit yield --by shift` tells all"
