"""Campaigns in the record: what goes in comes out, and what is known of units."""

from dataclasses import replace

from station.model import Outcome, Unit
from station.store.campaigns import (
    CampaignBegun,
    CampaignEvent,
    CampaignSlot,
    CampaignStory,
    Decided,
    Standing,
    insert_campaign,
    insert_event,
    newest_story,
    standing_of,
    story_of,
    usual_us,
)
from station.store.ids import new_id
from station.store.verify import verify
from tests.store.samples import attempt, failed, flashed, verdict, written

NAMES = Unit(
    imei="866866040550243", serial="S1", chip_serial="0aa94efd", sku="EC25EFA", firmware="X"
)


def begin(url: str, station: str = "line-1") -> CampaignBegun:
    """A campaign of two slots, and its first event."""
    begun = CampaignBegun(
        new_id(), station, 5, "nightly", "a" * 64, "name: nightly\n", "timer", 1000, "maria"
    )
    slots = (
        CampaignSlot("A1", Decided.FLASH, "from X", 1, None, NAMES, "r", "Y", "ec25", 7),
        CampaignSlot("A2", Decided.EMPTY, "no module"),
    )
    started = CampaignEvent(new_id(), station, 5, begun.campaign_id, "started", {"r": "b" * 64})
    written(url, lambda store: store.write(lambda b: insert_campaign(b, begun, slots, started)))
    return begun


def newest(url: str) -> CampaignStory:
    story = newest_story(url, "line-1")
    assert story is not None
    return story


def test_a_campaign_comes_out_as_it_went_in(url: str) -> None:
    begun = begin(url)
    story = newest(url)
    assert story.begun == begun
    assert {slot.slot: slot for slot in story.slots} == {
        "A1": CampaignSlot("A1", Decided.FLASH, "from X", 1, None, NAMES, "r", "Y", "ec25", 7),
        "A2": CampaignSlot("A2", Decided.EMPTY, "no module"),
    }
    assert story.over is None
    assert story.event("started") is not None
    ended = CampaignEvent(new_id(), "line-1", 9, begun.campaign_id, "ended")
    written(url, lambda store: store.write(lambda batch: insert_event(batch, ended)))
    assert newest(url).over == ended
    assert verify(url).findings == []


def test_its_attempts_are_those_that_name_it(url: str) -> None:
    begun = begin(url)
    mine = attempt(slot="A1", campaign_id=begun.campaign_id)
    other = attempt(slot="A2")
    for opened in (mine, other):
        flashed(url, opened, verdict(opened))
    story = newest(url)
    assert {s: [r.opened.attempt_id for r in some] for s, some in story.attempts.items()} == {
        "A1": [mine.attempt_id]
    }


def test_its_units_are_counted_and_not_its_slots(url: str) -> None:
    begun = begin(url)
    for slot in ("A1", "A1", "A2"):
        opened = attempt(slot=slot, campaign_id=begun.campaign_id)
        flashed(url, opened, verdict(opened))
    nobody = attempt(slot="A3", campaign_id=begun.campaign_id, unit=Unit(), identifiers=())
    flashed(url, nobody, failed(nobody, unit=Unit()))
    assert (len(newest(url).attempts), newest(url).units) == (3, 1)


def test_the_chain_of_a_night_that_is_over_ends_with_it(url: str) -> None:
    begun = begin(url)
    going_on = newest(url)
    ended = CampaignEvent(new_id(), "line-1", 9, begun.campaign_id, "ended")
    written(url, lambda store: store.write(lambda batch: insert_event(batch, ended)))
    over = newest(url)
    assert over.head[0] == going_on.head[0] + 1
    sheet = replace(ended, event_id=new_id(), kind="sheet")
    written(url, lambda store: store.write(lambda batch: insert_event(batch, sheet)))
    begin(url)
    told = story_of(url, begun.campaign_id)
    assert told is not None
    assert told.head == over.head
    assert verify(url).heads["line-1"][0] > told.head[0]


def test_the_newest_of_this_station_and_one_by_its_id(url: str) -> None:
    first, other = begin(url), begin(url, "line-2")
    last = begin(url)
    assert newest(url).begun == last
    assert newest_story(url, "line-3") is None
    found = story_of(url, other.campaign_id)
    assert found is not None
    assert found.begun == other
    assert story_of(url, "") is None, "several begin so"
    assert story_of(url, first.campaign_id + "x") is None


def test_what_is_known_of_a_unit(url: str) -> None:
    unit = Unit(imei="866866040550243", serial="S1")
    assert standing_of(url, unit) == Standing()
    opened = attempt(unit=unit, identifiers=())
    flashed(url, opened, failed(opened, unit=unit))
    seen = standing_of(url, unit)
    assert (len(seen.unit_ids), seen.was_good) == (1, False)
    opened = attempt(unit=unit, identifiers=())
    flashed(url, opened, verdict(opened, unit=unit))
    assert standing_of(url, unit) == replace(seen, was_good=True)


def test_how_long_a_recipe_takes_is_what_passed_ones_took(url: str) -> None:
    assert usual_us(url, "line-1") == {}
    sha256 = None
    for duration_us, outcome in ((10, Outcome.PASS), (20, Outcome.PASS), (999, Outcome.NO_CHANGE)):
        opened = attempt(station="line-1")
        sha256 = opened.recipe.sha256 if opened.recipe else None
        closed = verdict(opened, duration_us=duration_us, outcome=outcome)
        flashed(url, opened, closed)
    assert usual_us(url, "line-1") == {sha256: 15}
    assert usual_us(url, "line-2") == {}
