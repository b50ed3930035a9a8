"""`station dash`: the live screen, in a process of its own."""

import sys
import syslog
import traceback

from station.commands.exits import Exit, say
from station.config import Settings
from station.errors import Bug, UsageError


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
    from station.dashboard.show import show

    history = DatabaseHistory(settings.database, settings.station.name)
    app = StationApp(settings.socket, history, plain=plain, kiosk=kiosk)
    crash = show(app)
    if crash is None:
        return Exit.GOOD
    if kiosk:
        _log(crash)
    say(f"{Bug.code} {Bug.headline}: the screen ended by itself ({crash!r}); the engine goes on")
    say("  -> Open it again with `station dash`, and send what stands above to the developers.")
    return Exit.STATION


def _log(crash: BaseException) -> None:
    """To the journal: a screen is drawn on stderr, so what a wall says there is kept by nobody."""
    for line in "".join(traceback.format_exception(crash)).splitlines():
        syslog.syslog(syslog.LOG_ERR, line)


def dash(settings: Settings, *, plain: bool, kiosk: bool) -> Exit:
    """Raises UsageError without a terminal."""
    need_terminal("station dash")
    return attach(settings, plain=plain, kiosk=kiosk)
