"""An empty answer to a name that this record never had says nothing about any unit: tell so."""

from collections.abc import Iterator

from station.commands.exits import say
from station.config import Settings
from station.engine.feed import plain
from station.store.never_had import NeverHad, like, never_had

_SHOWN = 4


def tell_never_had(settings: Settings, **asked: str | None) -> None:
    """On stderr, a line for each; `asked` as `words_of_never_had`."""
    for words in words_of_never_had(settings, **asked):
        say(words)


def words_of_never_had(
    settings: Settings,
    *,
    package: str | None = None,
    firmware: str | None = None,
    slot: str | None = None,
) -> Iterator[str]:
    """A line for each that no attempt has, with some that are like it; a slot of the settings may
    well have none yet."""
    ours = [one.name for one in settings.slots]
    if slot in ours:
        slot = None
    if package is None and firmware is None and slot is None:
        return
    for one in never_had(settings.database, package=package, firmware=firmware, slot=slot):
        if one.kind == "slot":
            one = one._replace(there_are=like(one.wanted, list({*one.there_are, *ours})))
        yield plain(_words(one))


def _words(one: NeverHad) -> str:
    near, more = one.there_are[:_SHOWN], len(one.there_are) - _SHOWN
    there_are = f"there are: {', '.join(near)}" if near else "there is none"
    return (
        f"no {one.kind} on this record is called {one.wanted}; {there_are}"
        f"{f' and {more} more' if more > 0 else ''}"
    )
