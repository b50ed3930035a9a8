"""`station dash`: the live screen, in a process of its own."""

import sys

from station.commands.exits import Exit, say
from station.config import Settings
from station.errors import UsageError


def is_terminal() -> bool:
    """Somebody sits there who can read and type."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def need_terminal(command: str) -> None:
    """Raises UsageError where a screen cannot be shown."""
    if not is_terminal():
        raise UsageError(
            f"`{command}` needs a terminal; without one use `station line status` or "
            "`station line watch --json`"
        )


def attach(settings: Settings, *, plain: bool, kiosk: bool) -> Exit:
    """Show the engine's screen until it is left."""
    # The screen's libraries are slow to load, and nothing else needs them.
    from station.dashboard.app import StationApp
    from station.dashboard.history import DatabaseHistory

    app = StationApp(settings.socket, DatabaseHistory(settings.database), plain=plain, kiosk=kiosk)
    app.run()
    if app.return_code:
        say("the screen ended by itself; the engine is not harmed by that")
        return Exit.STATION
    return Exit.GOOD


def dash(settings: Settings, *, plain: bool, kiosk: bool) -> Exit:
    """Raises UsageError without a terminal."""
    need_terminal("station dash")
    return attach(settings, plain=plain, kiosk=kiosk)
