"""A night that was cut off, and the engine after it: it goes on, or gets its end and its sheet."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from station.config import LoadedRecipe
from station.engine.campaign_log import event_of
from station.engine.shelf import Prepared, Shelf
from station.errors import CampaignRuns, DatabaseError, NoCampaign, NotNow, UsageError
from station.live import LineState
from station.store.batch import Batch
from station.store.campaigns import CampaignBegun, insert_campaign, story_of
from station.store.ids import new_id
from station.store.writer import Store, now_utc_us
from station.wire import CampaignAbort
from tests.engine import tray
from tests.engine.line import running
from tests.engine.nights import (
    RUN,
    STOP_AT,
    Wall,
    engine,
    kinds,
    story_of_last,
    until_over,
    why_stopped,
    words,
)
from tests.engine.rack import POLICY, make_rack, plug_all, write_policy
from tests.mock_time import time_passes

pytestmark = pytest.mark.trio

ANY = {"known": False}
HASHING_S = 20.0
YEAR_S = 365 * 86400.0
ABORT = CampaignAbort(by="eva", reason="fire alarm")
BY_EVA = "ended by eva (maria): fire alarm"


async def cut_off(
    folder: Path, *, slots: int = 2, clock: Callable[[], int] = now_utc_us
) -> tray.Line:
    """A night in which the engine was stopped: A1 is done, the others are not begun."""
    bench = make_rack(folder, slots)
    plug_all(bench)
    write_policy(folder, units=ANY, limits={"at_once": 1}, stop_at=STOP_AT)
    async with engine(bench, clock=clock) as run:
        await run.ask(RUN)
        await run.until_step("A1", "program")
        await run.line.drain()
    assert story_of_last(bench).over is None
    return bench


def slow_to_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package takes its time, as a large one on a slow disk."""
    prepare = Shelf.prepare

    async def slowly(self: Shelf, recipe: LoadedRecipe) -> Prepared:
        await time_passes(HASHING_S)
        return await prepare(self, recipe)

    monkeypatch.setattr(Shelf, "prepare", slowly)


async def test_while_it_is_taken_up_nobody_arms_begins_or_ends_another(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await cut_off(tmp_path)
    slow_to_hash(monkeypatch)
    async with engine(bench) as run:
        await time_passes(1.0)
        with pytest.raises(CampaignRuns, match="is got ready"):
            await run.arm()
        with pytest.raises(NotNow, match="when it has begun"):
            await run.ask(ABORT)
        with pytest.raises(CampaignRuns, match="works through the rack"):
            await run.ask(RUN)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "PASS", "A2": "PASS"}
    assert kinds(sheet.story).count("started") == 1


@pytest.mark.parametrize("is_killed", [False, True])
async def test_one_that_somebody_ended_is_not_taken_up(
    tmp_path: Path, tray_clock: object, is_killed: bool
) -> None:
    bench = make_rack(tmp_path, 3)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1})
    async with engine(bench) as run:
        await run.ask(RUN)
        await run.until_step("A1", "program")
        await run.ask(ABORT)
        assert story_of_last(bench).aborted == BY_EVA, "on record when it is answered"
        if not is_killed:
            await run.line.drain()
    async with engine(bench) as run:
        await run.until(lambda: "sheet" in kinds(story_of_last(bench)))
        assert run.line.state is LineState.DISARMED
    story = story_of_last(bench)
    assert story.attempts.keys() == {"A1"}
    assert "resumed" not in kinds(story)
    assert why_stopped(story) == BY_EVA
    [sheet] = (tmp_path / "sheets").glob("*.txt")
    assert f"stopped: {BY_EVA}" in sheet.read_text()


async def test_one_that_a_dead_engine_left_and_none_took_up_is_ended_by_a_person(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = await cut_off(tmp_path)
    async with running(bench) as run:
        await run.ask(ABORT)
        with pytest.raises(NoCampaign):
            await run.ask(ABORT)
    assert why_stopped(story_of_last(bench)) == BY_EVA
    assert kinds(story_of_last(bench))[-2:] == ["stopped", "sheet"]


async def test_an_abort_that_is_not_on_record_ends_it_and_says_so(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_rack(tmp_path, 2)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1})

    async def refused(self: Store, work: Callable[[Batch], object]) -> object:
        raise DatabaseError("database is locked")

    async with engine(bench) as run:
        await run.ask(RUN)
        await run.until_step("A1", "program")
        with monkeypatch.context() as locked:
            locked.setattr(Store, "write", refused)
            with pytest.raises(DatabaseError, match="not on record: database is locked"):
                await run.ask(ABORT)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "PASS", "A2": "NOT BEGUN"}
    assert why_stopped(sheet.story) == BY_EVA


@pytest.mark.parametrize(
    ("left_s", "why"),
    [
        (-1.0, "it is past 05:30, the time to stop"),
        (5 * YEAR_S, "whether it is past 05:30, the time to stop, cannot be told"),
        (600.0, "whether it is past 05:30, the time to stop, cannot be told"),
    ],
    ids=["past", "years behind", "a little behind"],
)
async def test_where_the_time_is_past_or_cannot_be_told_it_is_only_reported(
    tmp_path: Path, tray_clock: object, left_s: float, why: str
) -> None:
    wall = Wall(600.0)
    bench = await cut_off(tmp_path, clock=wall)
    wall.put(left_s)
    async with engine(bench, clock=wall) as run:
        await run.until(lambda: "sheet" in kinds(story_of_last(bench)))
        assert run.line.state is LineState.DISARMED
    story = story_of_last(bench)
    assert story.attempts.keys() == {"A1"}
    assert why_stopped(story).startswith("it cannot go on: ")
    assert why_stopped(story).endswith(why)


async def test_a_clock_that_is_set_back_meanwhile_makes_it_no_longer(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = Wall(600.0)
    bench = await cut_off(tmp_path, slots=3, clock=wall)
    slow_to_hash(monkeypatch)
    wall.put(HASHING_S + 20.0)
    async with engine(bench, clock=wall) as run:
        await time_passes(1.0)
        wall.put(5 * YEAR_S)
        await run.until(lambda: run.desk.campaigns.night is not None)
        sheet = await until_over(run, bench)
    assert words(sheet)["A3"] == "NOT BEGUN"
    assert why_stopped(sheet.story) == "it is 05:30, the time to stop"


async def test_a_clock_that_was_slow_ends_it_when_it_is_put_right(
    tmp_path: Path, tray_clock: object
) -> None:
    wall = Wall(600.0)
    bench = await cut_off(tmp_path, slots=3, clock=wall)
    async with engine(bench, clock=wall) as run:
        await run.until_step("A2", "program")
        wall.put(-3600.0)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "PASS", "A2": "PASS", "A3": "NOT BEGUN"}
    assert why_stopped(sheet.story) == "it is 05:30, the time to stop"


async def test_a_line_that_somebody_armed_is_not_taken_over(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = await cut_off(tmp_path)
    async with running(bench) as run, trio.open_nursery() as nursery:
        await run.arm()
        armed = run.line.armed
        nursery.start_soon(run.desk.campaigns.run)
        await run.until(lambda: "sheet" in kinds(story_of_last(bench)))
        assert run.line.armed is armed
        assert run.line.state is LineState.ARMED
        assert run.desk.campaigns.night is None
        nursery.cancel_scope.cancel()
    assert why_stopped(story_of_last(bench)) == (
        "it cannot go on: somebody has armed the line meanwhile"
    )


async def test_a_person_who_is_arming_the_line_keeps_it(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await cut_off(tmp_path)
    slow_to_hash(monkeypatch)
    async with running(bench) as run, trio.open_nursery() as nursery:
        nursery.start_soon(run.arm)
        await run.until(lambda: run.line.state is LineState.ARMING)
        nursery.start_soon(run.desk.campaigns.run)
        await run.until(lambda: run.line.state is LineState.ARMED)
        assert run.line.armed is not None
        assert run.line.armed.campaign is None
        await run.until(lambda: "sheet" in kinds(story_of_last(bench)))
        nursery.cancel_scope.cancel()


async def test_an_engine_that_is_stopped_meanwhile_leaves_it_to_the_next(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await cut_off(tmp_path)
    with monkeypatch.context() as slow:
        slow_to_hash(slow)
        async with engine(bench) as run:
            await time_passes(1.0)
            await run.line.drain()
            await time_passes(2 * HASHING_S)
            assert run.line.state is LineState.STOPPING
            assert story_of_last(bench).attempts.keys() == {"A1"}
    async with engine(bench) as run:
        await run.until(lambda: run.desk.campaigns.night is not None)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "PASS", "A2": "PASS"}


@pytest.mark.parametrize("refusals", [1, 3])
async def test_a_record_in_trouble_delays_it(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    bench = await cut_off(tmp_path)
    write, left = Store.write, refusals

    async def in_trouble(self: Store, work: Callable[[Batch], object]) -> object:
        nonlocal left
        if left:
            left -= 1
            raise DatabaseError("database is locked")
        return await write(self, work)

    monkeypatch.setattr(Store, "write", in_trouble)
    async with engine(bench) as run:
        await run.until(lambda: run.desk.campaigns.night is not None)
        assert left == 0
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "PASS", "A2": "PASS"}
    assert sheet.resumed == 1


async def test_one_that_was_not_taken_up_is_ended_before_another_begins(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await cut_off(tmp_path)
    first = story_of_last(bench).begun.campaign_id

    async def bug(self: Shelf, recipe: LoadedRecipe) -> Prepared:
        raise IndexError("a bug")

    async with engine(bench) as run:
        with monkeypatch.context() as broken:
            broken.setattr(Shelf, "prepare", bug)
            await time_passes(1.0)
        with pytest.raises(UsageError, match="no campaign 'weekly'"):
            await run.ask(RUN.model_copy(update={"name": "weekly"}))
        assert story_of_last(bench).over is None, "one that was not begun ends no other"
        await run.ask(RUN)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "NO CHANGE", "A2": "PASS"}
    ended = story_of(bench.settings().database, first)
    assert ended is not None
    assert why_stopped(ended) == "it was cut off, and another one begun"
    assert kinds(ended)[-2:] == ["stopped", "sheet"]


async def test_a_policy_that_this_version_cannot_read_is_an_end(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1)
    policy = json.dumps(POLICY | {"of_another_version": True})
    async with running(bench) as run, trio.open_nursery() as nursery:
        world = run.line.world
        station = world.settings.station.name
        begun = CampaignBegun(new_id(), station, world.clock(), "nightly", "ab" * 32, policy)
        started = event_of(run.line, begun.campaign_id, "started")
        await world.store.write(lambda batch: insert_campaign(batch, begun, (), started))
        nursery.start_soon(run.desk.campaigns.run)
        await run.until(lambda: "sheet" in kinds(story_of_last(bench)))
        assert run.line.state is LineState.DISARMED
        nursery.cancel_scope.cancel()
    assert "of_another_version" in why_stopped(story_of_last(bench))
