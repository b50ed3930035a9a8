"""Arming: which recipes, who is at the line, how many. Nothing is flashed before this."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import TypeAdapter, ValidationError
from rich.style import Style
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Label, Static

from station.dashboard.arm_form import MAX_NAME, SKU_FIELD, arm_of
from station.dashboard.base import StationScreen
from station.dashboard.key_line import KeyLine
from station.dashboard.look import look
from station.dashboard.palette import Kind
from station.dashboard.paper import Trouble, banner, fields, ink, paragraph, trouble
from station.dashboard.picture import Change
from station.dashboard.recipe_list import RecipeList
from station.dashboard.scanner import cleaned
from station.errors import OtherProtocol, StationError
from station.live import RecipeView
from station.wire import Answer, Recipes


@dataclass(frozen=True, slots=True)
class _Offer:
    """The answer to Recipes. `problem`: what is wrong with the recipe files, in words."""

    recipes: tuple[RecipeView, ...] = ()
    problem: str | None = None


_OFFER = TypeAdapter(_Offer)
_FIELDS = ("operator", "label", "lot", "target", "modules")
_OTHER_ROWS = 12
"""All but the list, the version, its facts, what is said and NO DATA."""
_NO_DATA_ROWS = 3
_LARGE_ROWS = 6
_ROOMY_ROWS = 36
_ROOMY_LARGE_ROWS = 11


KEYS = (
    ("Esc", "back"),
    ("↑↓", "recipe"),
    ("Space", "choose"),
    ("Enter", "next, arm"),
    ("Tab", "other field"),
)


class ArmScreen(StationScreen):
    """Shows what could be armed, takes the person's choice, shows why it was refused."""

    DEFAULT_CSS = (
        look("ArmScreen")
        + """
    ArmScreen #title { height: 1; margin-bottom: 1; }
    ArmScreen RecipeList { margin: 0 1; }
    ArmScreen #version { height: auto; margin-top: 1; }
    ArmScreen #recipe { height: auto; }
    ArmScreen .fields { height: 1; margin: 0 1; }
    ArmScreen #first { margin: 1 1 0 1; }
    ArmScreen .fields Label { width: 13; }
    ArmScreen .fields Input { width: 1fr; margin-right: 2; }
    ArmScreen #arm { margin: 1 1 0 1; }
    ArmScreen #said { dock: bottom; height: auto; margin-bottom: 1; }
    """
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back"),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._is_arming = False
        self._asked_engine = ""
        """The engine whose recipes are shown."""
        self._said: str | Trouble = ""
        self._had_data = True

    def compose(self) -> ComposeResult:
        palette = self.station.palette
        yield Static(id="title")
        yield RecipeList(palette)
        yield Static(id="version")
        yield Static(id="recipe")
        with Horizontal(classes="fields", id="first"):
            yield from self._field("operator", "operator", "scan or type")
            yield from self._field("label", SKU_FIELD, "none")
        with Horizontal(classes="fields"):
            yield from self._field("lot", "lot", "none")
            yield from self._field("target", "target", "no target")
        with Horizontal(classes="fields"):
            yield from self._field("modules", "modules", "as in the settings")
        arm = Button("Arm the line (Enter)", id="arm", compact=True)
        arm.active_effect_duration = 0  # else it is deaf for a moment after each press
        yield arm
        yield Static(id="said")
        yield KeyLine(palette, KEYS)

    def _field(self, key: str, name: str, placeholder: str) -> ComposeResult:
        yield Label(name, markup=False)
        yield Input(id=key, placeholder=placeholder, compact=True, max_length=16 * MAX_NAME)

    def on_mount(self) -> None:
        self.set_class(self.station.palette.plain, "plain")
        line = self.station.picture.line
        if line is not None:
            known = line.operator if line.shift is None else line.shift.operator
            self.query_one("#operator", Input).value = known or ""
        self.query_one(RecipeList).focus()
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def show_change(self, change: Change) -> None:
        """An engine is there again, or another one: what may be armed is asked anew."""
        if change.anew and self._engine() != self._asked_engine and not self._is_arming:
            self._load()
        if self._had_data == self.station.picture.is_stale():
            self._draw()

    def take_scan(self, text: str) -> bool:
        """A badge, wherever the cursor is."""
        operator = self.query_one("#operator", Input)
        operator.value = text
        if operator.has_focus:
            self.app.action_focus_next()
        return True

    # --- what can be armed --------------------------------------------------------------------

    @work(exclusive=True, group="load")
    async def _load(self) -> None:
        self._say("asking the engine for its recipes …")
        try:
            answer = await self.station.link.ask(Recipes())
            offer = _offer_of(answer)
        except StationError as error:
            self._say(error)
            return
        if answer.refused:
            self._say(answer.refused)
            return
        self._asked_engine = self._engine()
        line = self.station.picture.line
        self.query_one(RecipeList).offer(
            offer.recipes, [recipe.sha256 for recipe in line.recipes] if line else []
        )
        self._say(offer.problem or ("" if offer.recipes else "There are no recipes to choose."))
        if len(offer.recipes) == 1:
            operator = self.query_one("#operator", Input)
            (self.query_one("#arm") if operator.value else operator).focus()

    def _engine(self) -> str:
        hello = self.station.picture.hello
        return hello.engine if hello else ""

    def on_recipe_list_selected(self) -> None:
        self._draw()

    def _draw(self) -> None:
        """The recipe under the cursor, its version in letters that nobody overlooks, and what is
        said, which nothing may push out."""
        palette, columns = self.station.palette, self.size.width
        title = palette.text(" ARM THE LINE: flash what arrives from now on", columns)
        self.query_one("#title", Static).update(Text(title, palette.strip))
        said, facts = self._words(columns), self._facts(columns)
        self._had_data = not self.station.picture.is_stale()
        room = self.size.height - _OTHER_ROWS - _rows(said) - _rows(facts)
        room -= 0 if self._had_data else _NO_DATA_ROWS
        large = _ROOMY_LARGE_ROWS if self.size.height >= _ROOMY_ROWS else _LARGE_ROWS
        recipes, version = self.query_one(RecipeList), self._version(columns, large)
        if recipes.length + _rows(version) > room:
            version = self._version(columns, room // 2)
        recipes.styles.height = max(1, min(recipes.length, room - _rows(version)))
        self.query_one("#version", Static).update(version)
        self.query_one("#recipe", Static).update(facts)
        self.query_one("#said", Static).update(said)

    def _version(self, columns: int, rows: int) -> Text:
        """In letters as large as so many rows allow."""
        palette, recipe = self.station.palette, self.query_one(RecipeList).selected
        if self._is_arming:
            return banner(palette, "ARMING", palette.body[Kind.RUN], columns, rows)
        if recipe is None:
            return Text()
        style = palette.screen + Style(bold=True)
        spaced = recipe.version.replace("_", " ")  # two lines of larger letters
        return banner(palette, spaced, style, columns, rows, small=recipe.version)

    def _facts(self, columns: int) -> Text:
        """What the recipe under the cursor does; empty without one, or while it is armed."""
        recipe = self.query_one(RecipeList).selected
        if recipe is None or self._is_arming:
            return Text()
        skus = " ".join(recipe.sku)
        pairs = [("makes", recipe.version), ("package", recipe.package), ("SKU", skus)]
        return fields(self.station.palette, pairs, columns)

    def _words(self, columns: int) -> Text:
        """What is said below."""
        palette = self.station.palette
        if isinstance(self._said, str):
            return paragraph(palette, self._said, columns, ink(palette, Kind.WARN))
        return trouble(palette, self._said, Kind.WARN, columns)

    # --- arming -------------------------------------------------------------------------------

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.input.value = cleaned(event.value)
        self.app.action_focus_next()

    def on_button_pressed(self) -> None:
        self._arm()

    @work(exclusive=True, group="arm")
    async def _arm(self) -> None:
        try:
            command = arm_of(
                self.query_one(RecipeList).chosen,
                *(self.query_one(f"#{name}", Input).value for name in _FIELDS),
            )
            self._set_arming(True)
            answer = await self.station.link.ask(command)
        except StationError as error:
            self._set_arming(False)
            self._say(error)
            return
        self._set_arming(False)
        if answer.refused:
            self._say(answer.refused)
        else:
            self.leave()

    def _set_arming(self, is_arming: bool) -> None:
        self._is_arming = is_arming
        for widget in self.query("RecipeList, Input, Button"):
            widget.disabled = is_arming
        if is_arming:
            self._say("The packages are being checked, byte by byte. This may take minutes.")
        else:
            self.query_one("#arm").focus()
            self._draw()

    def _say(self, what: str | Trouble) -> None:
        """Below everything, until something else is said."""
        self._said = what
        self._draw()


def _rows(text: Text) -> int:
    return text.plain.count("\n") + 1


def _offer_of(answer: Answer) -> _Offer:
    """Raises OtherProtocol for an answer that is not understood."""
    try:
        return _OFFER.validate_python(answer.data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise OtherProtocol(f"the engine's recipes: {place}: {first['msg']}") from None
