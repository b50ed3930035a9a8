"""What stands on the screen when what is known of the line is old."""

from rich.style import Style
from textual.strip import Strip

from station.dashboard.painted import Painted, panel, row
from station.dashboard.palette import Kind, Palette
from station.dashboard.picture import Picture
from station.dashboard.words import clock, duration


class NoData(Painted):
    """NO DATA, since when and why; shows itself only while the picture is stale."""

    DEFAULT_CSS = "NoData { dock: top; height: 3; display: none; }"

    def show(self, picture: Picture, now_utc_us: int) -> None:
        """Appear, disappear, or count the seconds. `now_utc_us` is our own clock."""
        stale = picture.is_stale(now_utc_us)
        if self.display != stale:
            self.display = stale
        if stale:
            self._texts = no_data_texts(picture, now_utc_us)
            self.look_like(self._texts)

    def draw(self, columns: int, rows: int) -> list[Strip]:
        """The same as the header shows."""
        return draw_no_data(self._texts, columns, rows, self.palette)


def no_data_texts(picture: Picture, now_utc_us: int) -> tuple[str, str, str]:
    """Since when, why, and what is done about it."""
    why = picture.trouble or "the engine says nothing"
    if picture.heard_utc_us is None:
        return "no engine so far", why, "Trying again."
    ago = duration(now_utc_us - picture.heard_utc_us)
    return f"since {clock(picture.heard_utc_us)} ({ago})", why, "Trying again."


def draw_no_data(
    texts: tuple[str, str, str], columns: int, rows: int, palette: Palette
) -> list[Strip]:
    """NO DATA in large letters, the texts beside it."""
    style = palette.body[Kind.BAD]
    left = panel("NO DATA", rows, style, palette)
    width = columns - len(left[0].text)
    plain = palette.screen
    texts_by_row = [((f"  {texts[0]}", plain + Style(bold=True)),)]
    texts_by_row += [((f"  {text}", plain),) for text in texts[1:]]
    texts_by_row += [(("", plain),)] * rows
    return [
        Strip([left[number], *row(parts, width, plain, palette)])
        for number, parts in enumerate(texts_by_row[:rows])
    ]
