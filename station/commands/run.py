"""`station run`: an engine, if none runs yet, and its screen. Leaving leaves the engine."""

import shlex

from station.commands.call import call, is_answered
from station.commands.dash import attach, need_terminal
from station.commands.exits import Exit, say
from station.commands.spawn import spawn
from station.config import Settings
from station.errors import StationError


def run(settings: Settings, *, plain: bool) -> Exit:
    """Raises UsageError without a terminal, StationError if the engine cannot be reached."""
    need_terminal("station run")
    if not is_answered(settings.socket):
        say("starting an engine …")
        spawn(["serve", "--config", str(settings.path)], settings.socket)
    return visit(settings, plain=plain)


def visit(settings: Settings, *, plain: bool, alone: str = "") -> Exit:
    """Show the screen of an engine that runs; afterwards say how things stand. `alone`: what
    becomes of the engine by itself."""
    code = attach(settings, plain=plain, kiosk=False)
    config = shlex.quote(str(settings.path))
    try:
        with call(settings.socket) as engine:
            pid = engine.pid
    except StationError:
        say("the engine has ended")
        return code
    say(f"the engine goes on (process {pid}){alone}")
    say(f"  stop it:    station line stop --config {config}")
    say(f"  come back:  station dash --config {config}")
    return code
