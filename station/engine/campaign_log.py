"""What is on record of one campaign, and its end: first on record, then on paper."""

from dataclasses import dataclass

from station.engine.line import Line
from station.engine.sheet_file import write_sheet
from station.errors import Bug, StationError, StoreError
from station.model import Fact
from station.store.campaigns import (
    CampaignBegun,
    CampaignEvent,
    CampaignStory,
    insert_event,
    story_of,
)
from station.store.ids import new_id


@dataclass(frozen=True, slots=True)
class CampaignLog:
    """Of one that runs, or that a dead engine left."""

    line: Line
    begun: CampaignBegun

    async def story(self) -> CampaignStory:
        """All that is on record by now. Raises StoreError."""
        found = await self.line.world.store.ask(lambda url: story_of(url, self.begun.campaign_id))
        if found is None:
            raise Bug("a campaign without its row")
        return found

    async def note(self, kind: str, detail: dict[str, Fact] | None = None) -> None:
        """Commit what happened. Raises StoreError."""
        event = event_of(self.line, self.begun.campaign_id, kind, detail)
        await self.line.world.store.write(lambda batch: insert_event(batch, event))
        words = ", ".join(f"{name} {value}" for name, value in event.detail.items())
        self.line.feed.log(f"campaign {self.begun.name}: {kind} {words}".rstrip())

    async def end(self, why: str | None) -> None:
        """How it ended is on record before the sheet is written; `why` it was stopped, None if it
        is done. Raises StoreError: it has not ended."""
        await self.note("ended" if why is None else "stopped", {} if why is None else {"why": why})
        self.line.health.signer.shift_ended()
        try:
            path = await write_sheet(self.line.world.settings, await self.story())
            await self.note("sheet", {"file": str(path)})
        except StationError as error:
            self.line.feed.log(f"no sheet: {error.cause}", good=False)
            await self._note_no_sheet(error)

    async def _note_no_sheet(self, error: StationError) -> None:
        try:
            await self.note("no_sheet", {"why": f"{error.code} {error.cause}"})
        except StoreError as trouble:
            self.line.feed.log(f"not recorded: {trouble.cause}", good=False)


def event_of(
    line: Line, campaign_id: str, kind: str, detail: dict[str, Fact] | None = None
) -> CampaignEvent:
    """Now, on this station."""
    station, now_us = line.world.settings.station.name, line.world.clock()
    return CampaignEvent(new_id(), station, now_us, campaign_id, kind, detail or {})
