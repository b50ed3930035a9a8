"""`station campaign`: nights that run themselves; begun by the engine, told from the record."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from station.commands.answers import Form, csv_lines
from station.commands.exits import Exit, say, show
from station.commands.line import command_of, engine_of
from station.commands.options import user_name
from station.commands.reporter import print_table
from station.config import Settings, check_policies, load_families
from station.engine.feed import plain
from station.engine.sheet import Sheet, sheet_of
from station.engine.sheet_file import put_whole
from station.engine.sheet_words import clock, sheet_html, sheet_text
from station.errors import NoCampaign, SheetNotWritten
from station.store.campaigns import CampaignStory, newest_story, story_of
from station.wire import Beat, Watch, cell

PLAN_S = 180.0
"""Every module is asked, and each has its own deadline."""

RUN_S = 840.0
"""Packages are hashed and copied before; the engine gives up first."""

SILENCE_S = 10.0
"""The engine speaks every second."""


# --- before and during ------------------------------------------------------------------------


def plan(settings: Settings, name: str, *, as_json: bool) -> None:
    """The dry run. Raises NoEngine."""
    command = command_of("campaign_plan", by=user_name(), name=name)
    with engine_of(settings) as engine:
        answer = engine.ask(command, PLAN_S)
    if as_json:
        show(json.dumps(answer))
        return
    _print_plan(answer)


def _print_plan(answer: dict[str, Any]) -> None:
    table = Table("slot", "decision", "unit", "why", "to")
    for slot in answer["slots"]:
        parts = (slot["slot"], _words(slot["decision"]), slot["imei"] or slot["serial"] or "",
                 slot["reason"], slot["to"] or "")  # fmt: skip
        table.add_row(*(Text(plain(part)) for part in parts))
    print_table(table)
    show(plain(_told(answer["totals"])))
    show(f"nothing is started after {clock(answer['stops_utc_us'])}")
    show(_when_done(answer["expected_end_utc_us"]))
    show(f"to begin this policy and no other: --policy {answer['policy_sha256']}")


def _when_done(end_utc_us: int | None) -> str:
    if end_utc_us is None:
        return "how long it would take is not known: its recipe has passed on no module here yet"
    return f"begun now, it would be done at about {clock(end_utc_us)}"


def run(
    settings: Settings,
    name: str,
    *,
    by: str | None,
    reason: str | None,
    policy_sha256: str | None,
    wait: bool,
) -> Exit:
    """Begin it; `wait` until it is over. Raises NoEngine."""
    said = {"name": name, "reason": reason, "policy_sha256": policy_sha256}
    command = command_of("campaign_run", by=by or user_name(), **said)
    with engine_of(settings) as engine:
        answer = engine.ask(command, RUN_S)
        campaign_id = str(answer["campaign_id"])
        say(plain(f"{name} begun: {_told(answer['totals'])}"))
        say(plain(f"campaign {campaign_id}"))
        if not wait:
            return Exit.GOOD
        engine.ask(Watch())
        while (story := _story(settings, campaign_id)).over is None:
            while not isinstance(engine.next(SILENCE_S), Beat):
                pass
    made = sheet_of(story, settings.rows)
    show(sheet_text(made))
    is_good = story.over.kind == "ended" and not made.bad
    return Exit.GOOD if is_good else Exit.VERDICT


def abort(settings: Settings, *, by: str, reason: str) -> None:
    command = command_of("campaign_abort", by=by, reason=reason)
    with engine_of(settings) as engine:
        engine.ask(command)
    say("nothing more is started; what is being written is finished")


def check(settings: Settings) -> Exit:
    """Every problem of every file, and of the recipes that they name. Raises ConfigError for a
    folder that cannot be read."""
    problems = check_policies(
        settings.campaigns, settings.recipes, load_families(settings.families)
    )
    for problem in problems:
        say(plain(problem))
    if not problems:
        say(f"{settings.campaigns}: good")
    return Exit.USAGE if problems else Exit.GOOD


def _told(totals: dict[str, int]) -> str:
    return ", ".join(f"{count} {_words(decision)}" for decision, count in totals.items())


def _words(decision: str) -> str:
    return decision.replace("_", " ")


# --- from the record --------------------------------------------------------------------------


def status(settings: Settings, campaign_id: str | None, form: Form) -> None:
    """How far it is; as CSV a row a slot. Raises NoCampaign, and what a record that cannot be read
    raises."""
    made = sheet_of(_story(settings, campaign_id), settings.rows)
    if form is Form.CSV:
        show(csv_lines([_COLUMNS, *_slot_rows(made)]))
    else:
        show(json.dumps(status_json(made)) if form is Form.JSON else sheet_text(made))


_COLUMNS = (
    *("campaign_id", "campaign", "station", "state"),
    *("slot", "word", "why", "unit", "out"),
)


def _slot_rows(made: Sheet) -> Iterator[list[str]]:
    told = status_json(made)
    for slot in told["slots"]:
        yield [cell((told | slot)[key]) for key in _COLUMNS]


def _state(story: CampaignStory) -> str:
    if story.over is not None:
        return story.over.kind
    return "running" if story.aborted is None else "ending"


def _why(story: CampaignStory) -> str:
    why = story.aborted if story.over is None else story.over.detail.get("why")
    return "" if why is None else str(why)


def status_json(sheet: Sheet) -> dict[str, Any]:
    """The sheet for programs."""
    story, yielded = sheet.story, sheet.story.yielded
    return {
        "campaign_id": story.begun.campaign_id,
        "campaign": story.begun.name,
        "station": story.begun.station,
        "policy_sha256": story.begun.policy_sha256,
        "started_utc_us": story.begun.utc_us,
        "by": story.begun.actor,
        "ended_utc_us": sheet.ended_utc_us,
        "state": _state(story),
        "why": _why(story),
        "resumed": sheet.resumed,
        "totals": dict(sheet.totals),
        "first_pass": {"good": yielded.first_pass, "of": yielded.first},
        "final": {"good": yielded.final_good, "of": yielded.units},
        "attempts": sheet.attempts,
        "station_loss": yielded.station_loss,
        "slots": [
            {"slot": c.slot, "word": c.word, "why": c.why, "unit": c.name, "out": c.is_out}
            for c in sheet.cells
        ],
        "remedies": [
            {"code": code, "slots": slots, "remedy": remedy}
            for code, slots, remedy in sheet.remedies
        ],
        "slowest": [
            {"step": s.step, "slot": s.slot, "longest_us": s.longest_us, "average_us": s.average_us}
            for s in sheet.slowest
        ],
        "chain": {"seq": story.head[0], "hash": story.head[1]},
        "events": [
            {"utc_us": e.utc_us, "kind": e.kind, "detail": dict(e.detail)} for e in story.events
        ],
    }


def sheet(settings: Settings, campaign_id: str | None, *, html: Path | None, text: bool) -> None:
    """Raises NoCampaign, SheetNotWritten."""
    made = sheet_of(_story(settings, campaign_id), settings.rows)
    if html is not None:
        try:
            put_whole(html, sheet_html(made))
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise SheetNotWritten(f"{html}: {words}") from error
        say(f"written to {html}")
    if text:
        show(sheet_text(made))


def _story(settings: Settings, campaign_id: str | None) -> CampaignStory:
    if campaign_id is None:
        found = newest_story(settings.database, settings.station.name)
        told = f"there was no campaign on {settings.station.name} yet"
    else:
        found = story_of(settings.database, campaign_id)
        told = f"no campaign's id begins with {campaign_id[:64]!r}, or several do"
    if found is None:
        raise NoCampaign(told)
    return found
