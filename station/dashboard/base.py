"""What all our screens have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, cast

from textual.screen import ModalScreen, Screen
from textual.widgets import Label

from station.dashboard.no_data import NoData
from station.dashboard.picture import Change

if TYPE_CHECKING:  # the app shows these screens and imports them itself
    from station.dashboard.app import StationApp

T = TypeVar("T")

EVERYTHING = Change(line=True, log=True, transcript=True, anew=True)


class StationScreen(Screen[None]):
    """A screen that is told what is new in the app's picture.

    `SAYS_NO_DATA`: a banner on top says when the picture is old. A screen that says so itself,
    or shows nothing of the picture, sets it to False.
    """

    SAYS_NO_DATA = True
    _leaves = False

    @property
    def station(self) -> StationApp:
        """The app, with the picture and the way to the engine."""
        return cast("StationApp", self.app)

    def show_change(self, change: Change) -> None:
        """Redraw what changed. At most four times a second, and once a second for the time."""

    def take_scan(self, text: str) -> bool:  # noqa: ARG002 - for the screens that have one
        """Whether this screen has its own use for what was scanned; else it is looked up."""
        return False

    def show_age(self) -> None:
        """Show or take away the banner."""
        if not self.SAYS_NO_DATA or not self.is_mounted:
            return
        banners = self.query(NoData)
        banner = banners.first() if banners else NoData(self.station.palette)
        if not banners:
            self.mount(banner, before=0)
        banner.show(self.station.picture)

    def leave(self) -> None:
        """Close this screen now or, when another lies over it, as soon as that is closed."""
        self._leaves = True
        if self.is_active:
            self.dismiss()

    def on_screen_resume(self) -> None:
        """Whatever happened while another screen was shown."""
        if self._leaves:
            self.dismiss()
            return
        self.show_age()
        self.show_change(EVERYTHING)


class StationDialog(ModalScreen[T], Generic[T]):
    """A question that lies over a screen and is answered with a value."""

    @property
    def station(self) -> StationApp:
        """The app, with the picture and the way to the engine."""
        return cast("StationApp", self.app)

    def show_change(self, change: Change) -> None:
        """Redraw what changed, as in `StationScreen`."""

    def say(self, text: str) -> None:
        """Show this in the dialog's line for such things."""
        for said in self.query(".said").results(Label):
            said.update(self.station.palette.text(text))
            said.display = True
