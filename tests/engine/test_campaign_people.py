"""Who begins and ends a night: by name on record, also where they hold up their badge."""

from pathlib import Path

import pytest

from station.store.events import find_events
from station.wire import CampaignAbort, CampaignRun, OperatorAdd
from tests.engine.line import Running
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
        await run.ask(CampaignRun(name="nightly", by=BADGE))
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
