"""What stands on the screen when what is known of the line is old."""

from dataclasses import dataclass

from rich.style import Style
from textual.strip import Strip

from station.dashboard.painted import Painted, panel, row
from station.dashboard.palette import Kind, Palette
from station.dashboard.paper import ink
from station.dashboard.picture import Picture
from station.dashboard.words import clock, cut, duration, wrapped

_TRYING = "   Trying again."


class NoData(Painted):
    """NO DATA, since when and why; shows itself only while the picture is stale."""

    DEFAULT_CSS = "NoData { dock: top; height: 3; display: none; }"

    def show(self, picture: Picture) -> None:
        """Appear, disappear, or count the seconds."""
        stale = picture.is_stale()
        if self.display != stale:
            self.display = stale
        if stale:
            self._texts = no_data_texts(picture)
            self.look_like(self._texts)

    def draw(self, columns: int, rows: int) -> list[Strip]:
        """The same as the header shows."""
        return draw_no_data(self._texts, columns, rows, self.palette)


@dataclass(frozen=True, slots=True)
class NoDataTexts:
    """Since when, why, and what to do about it."""

    since: str
    why: str
    remedy: str = ""


def no_data_texts(picture: Picture) -> NoDataTexts:
    """The words for a picture that is stale."""
    since = "no engine so far"
    if picture.heard_utc_us is not None:
        ago = duration(picture.silent_us)
        since = f"since {clock(picture.heard_utc_us)} ({ago})"
    return NoDataTexts(since, picture.why_stale, picture.remedy)


def draw_no_data(texts: NoDataTexts, columns: int, rows: int, palette: Palette) -> list[Strip]:
    """NO DATA in large letters, the texts beside it; what to do is cut last."""
    left = panel("NO DATA", rows, palette.body[Kind.BAD], palette)
    width = columns - len(left[0].text)
    room = width - 3
    plain = palette.screen
    bold = plain + Style(bold=True)
    told = [(f"{texts.since}{_TRYING}", bold), (cut(texts.why, room), plain)]
    if len(wrapped(texts.remedy, room, rows)) > rows - len(told):  # when and why share a row
        told = [(cut(f"{texts.since}  {texts.why}", room), bold)]
    free = rows - len(told)
    told += [(line, ink(palette, Kind.ACT)) for line in wrapped(texts.remedy, room, free)]
    told += [("", plain)] * rows
    return [
        Strip([left[number], *row([("  ", plain), part], width, plain, palette)])
        for number, part in enumerate(told[:rows])
    ]
