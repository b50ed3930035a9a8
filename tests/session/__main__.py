"""Plays the story once: a line for each scene; ends with 0, or at the first that is not so."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.session.line import Line, line_of
from tests.session.story import SCENES
from tests.session.terminal import NotSeen, tmux

MAX_SPEED = 2.5


def main() -> int:
    """0: every scene was seen. 1: one was not; 2: there is no tmux."""
    asked = argparse.ArgumentParser(prog="python -m tests.session")
    asked.add_argument("--keep", type=Path, metavar="DIR", help="write what was seen there")
    asked.add_argument("--speed", type=float, default=2.0, help="of the simulated modules")
    options = asked.parse_args()
    if not 0.1 <= options.speed <= MAX_SPEED:
        asked.error(f"--speed can be 0.1 to {MAX_SPEED:g}: a tray must take longer than a look")
    if shutil.which("tmux") is None:
        _say("tests.session needs tmux")
        return 2
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="station-session-") as scratch:
        folder = Path(scratch)
        (folder / "line").mkdir()
        with (
            tmux(folder / "tmux", folder) as server,
            line_of(folder / "line", server, options.speed, options.keep) as line,
        ):
            return _play(line)


def _play(line: Line) -> int:
    """What was started is ended afterwards, also for Ctrl-C and SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _play_all(line)
    except KeyboardInterrupt:
        _say("    stopped")
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def _play_all(line: Line) -> int:
    began_s = time.monotonic()
    for number, scene in enumerate(SCENES, start=1):
        name = scene.__name__.replace("_", " ")
        scene_began_s = time.monotonic()
        try:
            scene(line)
        except Exception as error:  # noqa: BLE001 - whatever it was: told with what stands there
            _say(f"{number:2}  FAILED  {name}: {_words(error)}")
            _say(_what_stands_there(line, error))
            return 1
        _say(f"{number:2}  {time.monotonic() - scene_began_s:5.1f} s  {name}")
    _say(f"    {time.monotonic() - began_s:5.1f} s  all {len(SCENES)} scenes")
    return 0


def _words(error: Exception) -> str:
    return error.what if isinstance(error, NotSeen) else f"{type(error).__name__}: {error}"


def _what_stands_there(line: Line, error: Exception) -> str:
    if isinstance(error, NotSeen) and error.pane:
        return error.pane
    try:
        return line.screen.pane().text
    except (AttributeError, NotSeen):
        return "no screen"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - people and machines read this


if __name__ == "__main__":
    sys.exit(main())
