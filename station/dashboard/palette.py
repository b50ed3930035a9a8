"""The colours and shapes of the line: what each means, in full colour and in eight.

The colours are those of Okabe and Ito, told apart by colour-blind people too; the vermilion is
a little darker here, so that white text on it has a contrast of 4.5 to 1. No meaning hangs on
colour alone: each kind has its shape and each verdict its word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from rich.cells import set_cell_size
from rich.color import Color
from rich.style import Style


class Kind(Enum):
    """What a tile or a banner says before a word of it is read."""

    GOOD = "good"
    BAD = "bad"
    """A fault. Red is for nothing else."""
    WARN = "warn"
    """Not as it should be; somebody decides."""
    ACT = "act"
    """The operator must do something for the line to go on."""
    RUN = "run"
    """Work goes on, leave it alone."""
    WAIT = "wait"
    """Nothing is done, and nothing here is to be done: it goes on when something else has."""
    OFF = "off"
    """Nothing there, or kept out of the line."""


_ASCII = {
    "✔": "+", "✖": "X", "⚠": "!", "▶": ">", "▲": "^", "▼": "v", "◇": "?", "○": "o", "●": "*",
    "◔": "*", "◑": "*", "◕": "*", "·": "-", "…": "~", "→": ">", "↑": "^", "↓": "v",
    "←": "<", "█": "#", "░": ".", "▒": ":", "▚": "/", "─": "-", "│": "|", "┌": "+", "┐": "+",
    "└": "+", "┘": "+",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Palette:
    """Styles by meaning. `plain`: eight colours and ASCII only, for a console without more."""

    plain: bool
    body: Mapping[Kind, Style]
    """Text on the kind's own ground."""
    accent: Mapping[Kind, Style]
    """The kind's colour for a word or a shape on `strip`."""
    screen: Style
    """Ordinary text."""
    strip: Style
    """The strip with a tile's slot number, the header, the footer."""
    selected: Style
    """The strip of the tile that keys are about."""
    dim: Style
    """What matters least."""
    dead: Style
    """What is old, and may not be so any more."""

    def text(self, text: str, width: int | None = None) -> str:
        """The text as this terminal can show it; with `width`, exactly so many cells.

        What came over a socket or from a module never reaches the terminal as a control.
        """
        shown = text
        if not shown.isprintable():
            shown = "".join(char if char.isprintable() else " " for char in shown)
        if self.plain and not shown.isascii():
            shown = "".join(_ASCII.get(char, char if char.isascii() else "?") for char in shown)
        return shown if width is None else set_cell_size(shown, max(width, 0))


_GROUNDS = {
    Kind.GOOD: ("#000000", "#009e73"),
    Kind.BAD: ("#ffffff", "#c25200"),
    Kind.WARN: ("#000000", "#f0e442"),
    Kind.ACT: ("#ffffff", "#0072b2"),
    Kind.RUN: ("#ffffff", "#303030"),
    Kind.WAIT: ("#ffffff", "#303030"),
    Kind.OFF: ("#a0a0a0", "#000000"),
}
_ACCENTS = {
    Kind.GOOD: "#2fd3a3",
    Kind.BAD: "#ff8a3d",
    Kind.WARN: "#f0e442",
    Kind.ACT: "#56b4e9",
    Kind.RUN: "#ffffff",
    Kind.WAIT: "#ffffff",
    Kind.OFF: "#a0a0a0",
}

COLOUR = Palette(
    plain=False,
    body={kind: Style(color=fore, bgcolor=ground) for kind, (fore, ground) in _GROUNDS.items()},
    accent={kind: Style(color=c, bgcolor="#121212", bold=True) for kind, c in _ACCENTS.items()},
    screen=Style(color="#e8e8e8", bgcolor="#000000"),
    strip=Style(color="#ffffff", bgcolor="#121212"),
    selected=Style(color="#000000", bgcolor="#ffffff", bold=True),
    dim=Style(color="#a0a0a0", bgcolor="#000000"),
    dead=Style(color="#707070", bgcolor="#000000"),
)

_EIGHT = {
    Kind.GOOD: ("black", "green"),
    Kind.BAD: ("white", "red"),
    Kind.WARN: ("black", "yellow"),
    Kind.ACT: ("white", "blue"),
    Kind.RUN: ("white", "black"),
    Kind.WAIT: ("white", "black"),
    Kind.OFF: ("white", "black"),
}
_EIGHT_ACCENTS = {
    Kind.GOOD: "green",
    Kind.BAD: "red",
    Kind.WARN: "yellow",
    Kind.ACT: "cyan",
    Kind.RUN: "white",
    Kind.WAIT: "white",
    Kind.OFF: "white",
}

PLAIN = Palette(
    plain=True,
    body={kind: Style(color=fore, bgcolor=ground) for kind, (fore, ground) in _EIGHT.items()},
    accent={k: Style(color=c, bgcolor="black", bold=True) for k, c in _EIGHT_ACCENTS.items()},
    screen=Style(color="white", bgcolor="black"),
    strip=Style(color="white", bgcolor="black"),
    selected=Style(color="black", bgcolor="white"),
    dim=Style(color="white", bgcolor="black"),
    dead=Style(color="white", bgcolor="black"),
)


def contrast(style: Style) -> float:
    """How well the text of a true-colour style can be read: 1 not at all, 21 best (WCAG 2.2)."""
    lights = sorted(_luminance(color) for color in (style.color, style.bgcolor) if color)
    return (lights[-1] + 0.05) / (lights[0] + 0.05)


def _luminance(color: Color) -> float:
    linear = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in color.get_truecolor().normalized
    )
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
