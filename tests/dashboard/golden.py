"""Screens as files: text with ANSI styles, to be looked at with `cat` and compared by tests.

`STATION_REGOLD=1` writes them anew; look at what changed before it is committed.
"""

import os
from io import StringIO
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.segment import Segment, Segments
from textual._compositor import LayoutUpdate
from textual.app import App

SCREENS = Path(__file__).parent.parent / "golden" / "screens"


def screen_text(app: App[None]) -> str:
    """What the terminal shows now, a line a row, with ANSI styles."""
    width, height = app.size
    console = Console(
        width=width,
        height=height,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as capture:
        for strip in _strips(app):
            console.print(Segments([*strip, Segment.line()]))
    return capture.get()


def plain_text(app: App[None]) -> str:
    """The same without styles."""
    return "\n".join("".join(segment.text for segment in strip) for strip in _strips(app))


def _strips(app: App[None]) -> list[list[Segment]]:
    """All rows, with what lies below a dialog."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert isinstance(update, LayoutUpdate)
    return [list(chain.from_iterable(strips)) for strips in update.strips]


def check_golden(app: App[None], name: str) -> None:
    """The screen is as it was when somebody last looked at it: `golden/screens/NAME.ans`."""
    path = SCREENS / f"{name}.ans"
    shown = screen_text(app)
    if os.environ.get("STATION_REGOLD") == "1":
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8"), f"{path.name} differs: cat both and look"
