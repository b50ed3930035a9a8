"""The recipes that could be armed, to choose from by keyboard."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from station.dashboard.palette import Palette
from station.live import RecipeView
from station.wire import RecipeChoice


class RecipeList(Widget, can_focus=True):
    """Up and down select, Space chooses. A recipe is what its sha256 says, not its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("space", "choose", "choose"),
        Binding("enter", "app.focus_next", "next"),
    ]

    class Selected(Message):
        """Another recipe is under the cursor, or chosen."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._palette = palette
        self._recipes: tuple[RecipeView, ...] = ()
        self._cursor = 0
        self._chosen: set[str] = set()

    def offer(self, recipes: Sequence[RecipeView], chosen: Sequence[str] = ()) -> None:
        """Show these; `chosen`: sha256 of those that are chosen already. One alone is chosen."""
        self._recipes = tuple(recipes)
        self._cursor = 0
        self._chosen = {recipe.sha256 for recipe in recipes if recipe.sha256 in chosen}
        if len(self._recipes) == 1:
            self._chosen = {self._recipes[0].sha256}
        self.refresh()
        self.post_message(self.Selected())

    @property
    def length(self) -> int:
        return len(self._recipes)

    @property
    def selected(self) -> RecipeView | None:
        """The recipe under the cursor."""
        return self._recipes[self._cursor] if self._recipes else None

    @property
    def chosen(self) -> tuple[RecipeChoice, ...]:
        """What the engine is told: each chosen recipe as it was shown here."""
        return tuple(
            RecipeChoice(name=recipe.name, sha256=recipe.sha256)
            for recipe in self._recipes
            if recipe.sha256 in self._chosen
        )

    def action_move(self, step: int) -> None:
        self._cursor = max(0, min(self._cursor + step, len(self._recipes) - 1))
        self.refresh()
        self.post_message(self.Selected())

    def action_choose(self) -> None:
        if self.selected is not None:
            self._chosen ^= {self.selected.sha256}
            self.refresh()
            self.post_message(self.Selected())

    # --- drawing ------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        first = max(0, self._cursor - self.size.height + 1)
        index = first + y
        columns = self.size.width
        if index >= len(self._recipes):
            return Strip([Segment(" " * columns, self._palette.screen)], columns)
        is_selected = index == self._cursor and self.has_focus
        style = self._palette.selected if is_selected else self._palette.screen
        more = self._more(y, first)
        row = self._row(self._recipes[index], index == self._cursor)
        text = self._palette.text(row, columns - len(more)) + self._palette.text(more)
        return Strip([Segment(text, style)], columns)

    def _more(self, y: int, first: int) -> str:
        """How many recipes there are above the first row that is shown, and below the last."""
        rows = self.size.height
        below = len(self._recipes) - first - rows
        over = f"  {first} more ▲" if y == 0 and first else ""
        return over + (f"  {below} more ▼" if y == rows - 1 and below > 0 else "")

    def _row(self, recipe: RecipeView, is_selected: bool) -> str:
        mark = "x" if recipe.sha256 in self._chosen else " "
        cursor = "▶" if is_selected else " "
        skus = " ".join(recipe.sku)
        name = f"{recipe.name} rev {recipe.revision}"
        return f"{cursor}[{mark}] {name:<28}  {recipe.sha256[:8]}  {skus}"
