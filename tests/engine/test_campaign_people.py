"""Who begins and ends a night: by name on record, also where they hold up their badge."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from station.errors import NotAllowed, NotRegistered, UsageError
from station.store.campaigns import newest_story
from station.store.events import find_events
from station.wire import CampaignAbort, CampaignRun, OperatorAdd
from tests.engine.line import PEER, Running
from tests.engine.nights import engine, until_over, why_stopped
from tests.engine.rack import make_rack, plug_all, write_policy

pytestmark = pytest.mark.trio

ANY = {"known": False}
BADGE = "E-0017"
WHY = "the returns of November"


async def register(run: Running) -> None:
    for name, role, badge in (("eva", "engineer", BADGE), ("jan", "operator", "W-0042")):
        parts = {"name": name, "role": role, "badge": badge, "reason": "starts today", "by": "eva"}
        await run.ask(OperatorAdd.model_validate(parts))


def files_with(folder: Path, words: str) -> list[Path]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in found if words.encode() in path.read_bytes()]


async def test_a_badge_is_in_no_file_and_no_line_of_the_log(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 2)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1})
    async with engine(bench) as run:
        await register(run)
        await run.ask(CampaignRun(name="nightly", by=BADGE, reason=WHY))
        await run.until_step("A1", "program")
        await run.ask(CampaignAbort(by=BADGE, reason="fire alarm"))
        sheet = await until_over(run, bench)
        assert [line.text for line in run.line.feed._log.lines if BADGE in line.text] == []
    story = sheet.story
    assert (story.begun.actor, story.begun.peer_user) == ("eva", "maria")
    assert [one.opened.operator for one in story.attempts["A1"]] == ["eva"]
    assert why_stopped(story) == "ended by eva (maria): fire alarm"
    (aborted,) = find_events(bench.settings().database, kind="campaign_abort")
    assert (aborted.actor, aborted.role) == ("eva", "engineer")
    assert files_with(tmp_path, BADGE) == []
    written = files_with(tmp_path / "sheets", "by eva")
    assert {path.suffix for path in written} == {".html", ".txt"}


async def test_whoever_may_not_or_does_not_say_why_begins_none(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1)
    url = bench.settings().database
    async with engine(bench) as run:
        await register(run)
        for who, why, error, told in (
            ("jan", WHY, NotAllowed, "jan is an operator; this wants an engineer"),
            ("W-0042", WHY, NotAllowed, "jan is an operator; this wants an engineer"),
            ("mallory", WHY, NotRegistered, "called mallory"),
            ("maria", WHY, NotRegistered, "called maria"),
            (None, WHY, NotAllowed, "nobody is named"),
            ("eva", None, UsageError, "wants a reason"),
            (BADGE, None, UsageError, "wants a reason"),
        ):
            with pytest.raises(error, match=told):
                await run.ask(CampaignRun(name="nightly", by=who, reason=why))
        assert run.desk.campaigns.night is None
    assert newest_story(url, bench.settings().station.name) is None
    assert find_events(url, kind="campaign_run") == []


async def test_who_began_it_and_why_is_on_record_with_its_decisions(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1)
    async with engine(bench) as run:
        await register(run)
        answer = await run.ask(CampaignRun(name="nightly", by="Eva", reason=WHY))
        (asked,) = find_events(bench.settings().database, kind="campaign_run")
        await until_over(run, bench)
    assert (asked.actor, asked.role, asked.peer_uid, asked.peer_user) == (
        *("eva", "engineer"),
        *(PEER.uid, PEER.user),
    )
    assert asked.detail == {
        "campaign": "nightly",
        "campaign_id": answer["campaign_id"],
        "reason": WHY,
    }


async def test_the_station_s_own_timer_names_nobody_and_no_reason(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1)
    timer = replace(PEER, uid=os.geteuid(), user="station")
    asks = CampaignRun(name="nightly", by="station")
    async with engine(bench) as run:
        await register(run)
        with pytest.raises(UsageError, match="wants a reason"):
            await run.desk.carry_out(asks.model_copy(update={"by": "eva"}), timer)
        await run.desk.carry_out(asks, timer)
        await until_over(run, bench)
    (asked,) = find_events(bench.settings().database, kind="campaign_run")
    assert (asked.actor, asked.role, asked.peer_uid) == ("station", None, timer.uid)
    assert "reason" not in asked.detail
