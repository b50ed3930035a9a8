"""Who may add to the record: the engine, asked over its socket; where none runs, a command that
holds the engine's lease meanwhile, so that there is never more than one writer."""

from collections.abc import Awaitable, Callable

import trio

from station.commands.call import Refused, call
from station.commands.exits import Exit, leave, say
from station.config import Settings
from station.engine.feed import plain
from station.engine.lock import own
from station.errors import NoEngine
from station.store.database import sqlite_path
from station.store.writer import Store, open_store
from station.wire import Command


def append(settings: Settings, command: Command, alone: Callable[[Store], Awaitable[None]]) -> None:
    """Have the engine carry it out; `alone` does the same where none runs.

    A refusal of the engine's is told, and the command ends with it. Raises StationError, among
    them NoEngine for one that left before it answered, EngineRunning for one that just starts.
    """
    is_reached = False
    try:
        with call(settings.socket) as engine:
            is_reached = True
            engine.ask(command)
    except Refused as refused:
        tell(refused)
    except NoEngine:
        if is_reached:
            raise
        with own(sqlite_path(settings.database), ()):
            trio.run(_open, settings, alone)


async def _open(settings: Settings, alone: Callable[[Store], Awaitable[None]]) -> None:
    async with open_store(settings.database) as store:
        await alone(store)


def tell(refused: Refused) -> None:
    """Say why, and leave."""
    refusal = refused.refusal
    say(plain(f"{refusal.code} {refusal.headline}: {refusal.cause}"))
    say(plain(f"  -> {refusal.remedy}"))
    leave(Exit.VERDICT)
