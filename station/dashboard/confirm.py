"""Questions that lie over a screen: yes or no, and why."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label

from station.dashboard.base import StationDialog
from station.dashboard.look import look
from station.dashboard.scanner import cleaned
from station.wire import is_readable

_MAX_REASON = 200
_MAX_NAME = 64

_BOX = """
{name} {{
    align: center middle;
    background: #000000 60%;
}}
{name} > Vertical {{
    width: 64;
    max-width: 100%;
    height: auto;
    max-height: 100%;
    padding: 1 2;
    background: #121212;
    border: heavy #ffffff;
}}
{name} Label {{
    width: 100%;
    height: auto;
}}
{name} .title {{
    text-style: bold;
    margin-bottom: 1;
}}
{name} .said {{
    display: none;
    text-style: bold;
    margin-top: 1;
}}
{name} .keys {{
    margin-top: 1;
    text-style: dim;
}}
{name} .buttons {{
    height: auto;
    margin-top: 1;
}}
{name} Button {{
    margin-right: 2;
}}
{name}.plain > Vertical {{
    background: ansi_black;
    border: ascii ansi_white;
}}
"""


class ConfirmScreen(StationDialog[bool]):
    """Asks yes or no; Enter means yes unless the answer is dangerous, then no."""

    DEFAULT_CSS = look("ConfirmScreen") + _BOX.format(name="ConfirmScreen")

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape", "answer(False)", "No"),
        Binding("left,right", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, text: str, yes: str = "Yes", dangerous: bool = False) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._yes = yes
        self._dangerous = dangerous

    def compose(self) -> ComposeResult:
        text = self.station.palette.text
        with Vertical():
            yield Label(text(self._title), classes="title", markup=False)
            yield Label(text(self._text), markup=False)
            yield Label(classes="said", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(f"{self._yes} (y)", id="yes", compact=True)
                yield Button("No (n, Esc)", id="no", compact=True)

    def on_mount(self) -> None:
        self.set_class(self.station.palette.plain, "plain")
        self.query_one("#no" if self._dangerous else "#yes").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class ReasonScreen(StationDialog[str | None]):
    """Asks for a reason in words; None when the person thought better of it."""

    DEFAULT_CSS = look("ReasonScreen") + _BOX.format(name="ReasonScreen")

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(self.station.palette.text(self._title), classes="title", markup=False)
            yield Input(
                placeholder="the reason, in a few words", max_length=_MAX_REASON, compact=True
            )
            yield Label(classes="said", markup=False)
            yield Label("Enter confirm   Esc back", classes="keys", markup=False)

    def on_mount(self) -> None:
        self.set_class(self.station.palette.plain, "plain")
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        reason = cleaned(event.value)
        if is_readable(reason):
            self.dismiss(reason)
        else:
            self.query_one(".keys", Label).update("A reason is needed.   Esc back")


class LiftScreen(StationDialog[tuple[str, str] | None]):
    """Asks an engineer for name and reason; None when they thought better of it."""

    DEFAULT_CSS = look("LiftScreen") + _BOX.format(name="LiftScreen")

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(self.station.palette.text(self._title), classes="title", markup=False)
            yield Label("For the line engineer: both go on record.", markup=False)
            yield Input(id="by", placeholder="your name", max_length=_MAX_NAME, compact=True)
            yield Input(
                id="reason",
                placeholder="what was wrong, what was done",
                max_length=_MAX_REASON,
                compact=True,
            )
            yield Label(classes="said", markup=False)
            yield Label("Enter confirm   Tab next   Esc back", classes="keys", markup=False)

    def on_mount(self) -> None:
        self.set_class(self.station.palette.plain, "plain")
        self.query_one("#by").focus()

    def on_input_submitted(self) -> None:
        fields = [self.query_one(f"#{name}", Input) for name in ("by", "reason")]
        by, reason = (cleaned(field.value) for field in fields)
        if by and is_readable(reason):
            self.dismiss((by, reason))
            return
        fields[1 if by else 0].focus()
        self.query_one(".keys", Label).update("Name and reason are needed.   Esc back")
