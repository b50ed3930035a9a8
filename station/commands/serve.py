"""`station serve`: the engine in the foreground, until it is told to stop."""

import math
import traceback
from collections.abc import Awaitable, Callable, Iterator

import trio

from station.commands.exits import Exit, complain, exit_of, say
from station.commands.options import user_name
from station.config import Families, Settings, load_families
from station.engine.lock import own
from station.engine.notify import Notify
from station.engine.service import run_engine
from station.engine.stop import Stop, obey_signals
from station.engine.world import Hands
from station.errors import Bug, StationError
from station.store.database import sqlite_path
from station.store.revision import create_if_missing
from station.transport.base import Backend

Ready = Callable[[], Awaitable[None]]


def serve(
    settings: Settings,
    backend: Backend,
    *,
    own_ports: bool = True,
    clock: trio.abc.Clock | None = None,
    hands: Hands | None = None,
    linger_s: float = math.inf,
    ready: Ready | None = None,
) -> Exit:
    """Own the slots and serve until stopped; `ready` is awaited once screens can connect.

    Raises StationError for what keeps the engine from starting. `linger_s` is time of `clock`.
    """
    ports = [path for slot in settings.slots for path in slot.ports] if own_ports else []
    notify = Notify()
    with own(sqlite_path(settings.database), ports):
        create_if_missing(settings.database)
        families = load_families(settings.families)
        try:
            trio.run(
                _serve, settings, families, backend, notify, hands, linger_s, ready, clock=clock
            )
        except Exception as error:  # noqa: BLE001 - the end of the engine, whatever it was, in words
            return _explain(error)
    say("ended")
    return Exit.GOOD


async def _serve(
    settings: Settings,
    families: Families,
    backend: Backend,
    notify: Notify,
    hands: Hands | None,
    linger_s: float,
    ready: Ready | None,
) -> None:
    stop = Stop()

    async def tell_ready() -> None:
        if ready is not None:
            await ready()
        say(f"serving {len(settings.slots)} slots of {settings.station.name}; {settings.socket}")

    async with trio.open_nursery() as nursery:
        await nursery.start(obey_signals, stop)
        nursery.start_soon(_narrate, stop)
        await run_engine(
            settings,
            families,
            backend,
            stop=stop,
            notify=notify,
            operator=user_name(),
            hands=hands,
            linger_s=linger_s,
            ready=tell_ready,
        )
        nursery.cancel_scope.cancel()


async def _narrate(stop: Stop) -> None:
    await stop.gently.wait()
    say("draining: modules that are being written are finished; once more aborts them")
    await stop.now.wait()
    say("aborting")


# --- how it ends badly ------------------------------------------------------------------------


def _explain(error: Exception) -> Exit:
    """Words for people, and for a bug the place in the code for those who mend it."""
    causes = list(_leaves(error))
    known = [cause for cause in causes if isinstance(cause, StationError)]
    if len(known) == len(causes):
        complain(known[0])
        return Exit.USAGE if exit_of(known[0]) is Exit.USAGE else Exit.STATION
    say("".join(traceback.format_exception(error)).rstrip())
    bug = next(cause for cause in causes if not isinstance(cause, StationError))
    complain(Bug(f"the engine ended by itself: {type(bug).__name__}: {bug}"))
    return Exit.STATION


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
