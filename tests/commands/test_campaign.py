"""`station campaign` against an engine in a process of its own, and against the record alone."""

import csv
import io
import json
import signal
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import trio

from station.config import load_settings
from station.live import SlotState
from station.sim.tray import make_tray
from station.store.writer import open_store
from tests.commands.running import SEED, Engine, engine, files, records
from tests.commands.test_cli import station
from tests.engine.rack import Before, write_policy
from tests.new_record import new_record

Run = tuple[int, str, str]
FAULT = "wrong-variant"


def campaign(config: Path, *arguments: str) -> Run:
    done = station("campaign", *arguments, "--config", config, cwd=config.parent)
    return done.returncode, done.stdout, done.stderr


async def tell_of_returns(config: Path, but: str) -> None:
    """All that the engine will plug in passed here before, but the one in this slot."""
    settings = load_settings(config)
    tray = make_tray(settings.slots, seed=SEED, faults={"A2": FAULT}, size_mb=2)
    new_record(settings.database)
    async with open_store(settings.database) as store:
        for slot, module in tray.modules.items():
            if slot != but:
                await Before(settings, store).passed(module)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, list[Run]]]:
    """Four slots, one bad, one with a unit that was never here; the engine is killed in the middle,
    the next one ends the night."""
    config = files(tmp_path_factory.mktemp("night"), 4)
    write_policy(config.parent, units={"known": True})
    trio.run(tell_of_returns, config, "A4")
    bad = ("--fault", f"A2={FAULT}", "--speed")
    with engine(config, *bad, "4", deadline_s=300) as first:
        first.see("A4", SlotState.STANDING, SlotState.WAITING)
        said = [campaign(config, "plan", "nightly"), campaign(config, "plan", "nightly", "--json")]
        said.append(campaign(config, "run", "nightly", "--by", "timer"))
        first.until(lambda picture: picture.slots["A1"].step == "program")
        first.end(signal.SIGKILL, -signal.SIGKILL)
    said.append(campaign(config, "status", "--json"))  # no engine is needed for it
    with engine(config, *bad, "20", deadline_s=300) as second:
        second.until(lambda _: "done" in campaign(config, "status")[1])
        yield second, said
        second.end()


def test_a_plan_says_what_and_why(night: tuple[Engine, list[Run]]) -> None:
    _, ((code, out, _), (_, as_json, _), *_) = night
    assert code == 0
    assert "2 flash, 1 unknown, 1 blocked" in out
    assert "nothing is started after" in out
    assert "SKU EC25AFA" in out
    assert "it is not on this record" in out
    assert "\nhow long it would take is not known: its recipe has passed on no module here" in out
    plan = json.loads(as_json)
    assert [slot["decision"] for slot in plan["slots"]] == ["flash", "blocked", "flash", "unknown"]
    assert plan["expected_end_utc_us"] is None, "nothing passed here yet"
    assert f"--policy {plan['policy_sha256']}\n" in out


def test_a_run_says_that_it_began_and_asks_nothing(night: tuple[Engine, list[Run]]) -> None:
    _, (_, _, (code, out, err), (_, status, _)) = night
    assert (code, out) == (0, "")
    assert "nightly begun: 2 flash, 1 unknown, 1 blocked" in err
    running = json.loads(status)
    assert (running["state"], running["by"]) == ("running", "timer")
    assert {slot["word"] for slot in running["slots"]} <= {
        "RUNNING", "BLOCKED", "WAITING", "UNKNOWN",
    }  # fmt: skip


def test_in_the_morning_the_record_tells(night: tuple[Engine, list[Run]]) -> None:
    running, _ = night
    code, out, _ = campaign(running.config, "status", "--json")
    story = json.loads(out)
    assert code == 0
    assert (story["state"], story["resumed"]) == ("ended", 1)
    assert story["totals"] == {"PASS": 2, "BLOCKED": 1, "UNKNOWN": 1}
    assert {slot["slot"]: slot["word"] for slot in story["slots"]}["A4"] == "UNKNOWN"
    assert story["final"] == {"good": 2, "of": 2}
    assert story["station_loss"] >= 1
    code, table, _ = campaign(running.config, "status", "--csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["campaign_id"] for row in rows} == {story["campaign_id"]}
    assert {row["state"] for row in rows} == {"ended"}
    told = [{key: row[key] for key in ("slot", "word", "why", "unit", "out")} for row in rows]
    assert told == [{k: str(v) for k, v in slot.items()} for slot in story["slots"]]
    assert campaign(running.config, "status", "--csv", "--json")[0] == 2
    code, text, _ = campaign(running.config, "sheet", story["campaign_id"][:20])
    assert code == 0
    assert f"link {story['chain']['seq']}, {story['chain']['hash']}" in text
    assert f"sha256 {story['policy_sha256']}" in text


def test_the_chain_holds_after_a_night_with_a_death_in_it(night: tuple[Engine, list[Run]]) -> None:
    running, _ = night
    config = running.config
    done = station("audit", "verify", "--config", config, cwd=config.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all as they were written" in done.stdout
    attempts = records(config, "find", "--slot", "A1")
    assert "INTERRUPTED" in {attempt["outcome"] for attempt in attempts}
    assert len(records(config, "find", "--slot", "A4")) == 0, "what is unknown is not touched"


class _Links(HTMLParser):
    """Whatever could be fetched or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        asks = {"src", "href", "srcset", "data", "action"} & {name for name, _ in attrs}
        if tag in ("script", "link", "iframe", "img", "object") or asks:
            self.found.append(tag)


def test_the_page_is_one_file(night: tuple[Engine, list[Run]], tmp_path: Path) -> None:
    running, _ = night
    page = tmp_path / "sheet.html"
    code, out, err = campaign(running.config, "sheet", "--html", str(page))
    assert (code, out) == (0, "")
    [kept] = (running.config.parent / "sheets").glob("nightly-*.html")
    assert page.read_text() == kept.read_text(), "printed again it is the same"
    assert str(page) in err
    links = _Links()
    links.feed(page.read_text(encoding="utf-8"))
    assert links.found == []
    assert "@import" not in page.read_text()
    assert "url(" not in page.read_text()


def test_what_cannot_be_is_said(night: tuple[Engine, list[Run]], tmp_path: Path) -> None:
    running, _ = night
    config = running.config
    for arguments, code, told in (
        (("plan", "weekly"), 1, "R309"),
        (("run", "../station"), 1, "cannot be a campaign's name"),
        (("run", "nightly", "--policy", "ab" * 32), 1, "L663 POLICY CHANGED"),
        (("run", "nightly", "--policy", "ab"), 2, "campaign_run.policy_sha256"),
        (("abort", "--by", "eva", "--reason", "enough"), 1, "L661 NO CAMPAIGN"),
        (("abort", "--by", "eva"), 2, "--reason"),
        (("abort", "--by", "eva", "--reason", " "), 2, "campaign_abort.reason"),
        (("status", "ffff"), 1, "no campaign's id begins with 'ffff'"),
        (("status", "x' OR 1"), 1, "L661"),
        (("sheet", "ffff\udcff"), 1, "L661"),
        (("sheet", "--html", str(tmp_path / "no" / "sheet.html")), 1, "L662 NO SHEET"),
        (("sheet", "--html", str(tmp_path)), 1, "L662 NO SHEET"),
    ):
        assert campaign(config, *arguments)[0] == code, arguments
        assert told in campaign(config, *arguments)[2]


def test_without_an_engine_nothing_is_begun(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    code, _, err = campaign(config, "run", "nightly")
    assert code == 2
    assert "L605 NO ENGINE" in err
    assert campaign(config, "status")[0] == 3, "there is no record yet"
    assert campaign(config, "check")[0] == 0
    nightly = tmp_path / "campaigns" / "nightly.yaml"
    nightly.write_text('name: nightly\nrecipes: [nosuch]\nstop_at: "05:30"\n')
    code, _, err = campaign(config, "check")
    assert code == 2
    assert "nightly.yaml:2: key 'recipes[0]': there is no recipe 'nosuch'" in err
    nightly.write_text("name: nightly\n")
    code, _, err = campaign(config, "check")
    assert code == 2
    assert "nightly.yaml:1: key 'recipes': is missing" in err
