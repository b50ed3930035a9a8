"""What the engine did not carry out, and what to do about it."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Static

from station.dashboard.base import StationDialog
from station.dashboard.palette import Kind

SHOWN_S = 8.0


class NoticeScreen(StationDialog[None]):
    """Headline, cause and remedy; goes away with Enter or Esc, or by itself. What is typed on while
    it comes up reaches nothing: letters are commands to the screen below."""

    DEFAULT_CSS = """
    NoticeScreen { align: center middle; }
    NoticeScreen Static { width: 64; max-width: 100%; height: auto; padding: 1 2; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,escape", "dismiss(None)", "goes on")]

    def __init__(
        self,
        headline: str,
        texts: tuple[str, ...],
        kind: Kind = Kind.WARN,
        shown_s: float = SHOWN_S,
    ) -> None:
        super().__init__()
        self._headline = headline
        self._texts = texts
        self._kind = kind
        self._shown_s = shown_s
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """The notice in its kind's colour."""
        palette = self.station.palette
        style = palette.body[self._kind]
        text = Text(palette.text(self._headline), style + Style(bold=True))
        for part in filter(None, self._texts):
            text.append(f"\n\n{palette.text(part)}", style)
        text.append("\n\nEnter or Esc goes on", style)
        notice = Static(text)
        notice.styles.background = _css(style)
        yield notice

    def on_screen_resume(self) -> None:
        """It does not stay in the way of what it lies over."""
        self._timer = self.set_timer(self._shown_s, self._go_away)

    def on_screen_suspend(self) -> None:
        """Something lies over it: the time to read it begins anew when that is gone."""
        if self._timer is not None:
            self._timer.stop()

    def _go_away(self) -> None:
        if self.is_active:  # else another screen would be closed in its place
            self.dismiss(None)


def _css(style: Style) -> str:
    """The ground of a style as Textual names it."""
    color = style.bgcolor
    if color is None:
        return "ansi_default"
    return color.name if color.name.startswith("#") else f"ansi_{color.name}"
