"""What a campaign came to, as the morning asks for it: figures, the rack slot by slot. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from station.model import AttemptRecord, Failure, Outcome
from station.store.campaigns import CampaignSlot, CampaignStory, Decided

SLOWEST = 4

_TOLD = {
    Decided.EMPTY: "EMPTY",
    Decided.SLOT_OUT: "OUT",
    Decided.UNKNOWN: "UNKNOWN",
    Decided.QUARANTINED: "QUARANTINED",
    Decided.BLOCKED: "BLOCKED",
    Decided.NOT_MEANT: "NOT MEANT",
    Decided.OVER_LIMIT: "OVER LIMIT",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One slot of the rack. `tone`: good, bad, station, left, empty or busy."""

    slot: str
    word: str
    tone: str
    why: str = ""
    name: str = ""
    """IMEI, or what else the unit goes by."""
    is_out: bool = False
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class SlowStep:
    """The longest time a step took, where, and how long it takes on average."""

    step: str
    longest_us: int
    slot: str
    average_us: int


@dataclass(frozen=True, slots=True)
class Sheet:
    story: CampaignStory
    rows: tuple[tuple[Cell, ...], ...]
    """The rack as it stands."""
    attempts: int
    out: tuple[tuple[str, str], ...]
    """Slots that are out, and why."""
    slowest: tuple[SlowStep, ...]

    @property
    def cells(self) -> list[Cell]:
        return [cell for row in self.rows for cell in row]

    @property
    def totals(self) -> list[tuple[str, int]]:
        """How many slots say each word, in the order in which the rack says them first."""
        words = [cell.word for cell in self.cells]
        return [(word, words.count(word)) for word in dict.fromkeys(words)]

    @property
    def bad(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.tone in ("bad", "station")]

    @property
    def left(self) -> list[Cell]:
        """Modules that were not touched."""
        return [cell for cell in self.cells if cell.tone == "left"]

    @property
    def remedies(self) -> list[tuple[str, tuple[str, ...], str]]:
        """Each code that a slot's last attempt ended with, in which slots, what to do; the most
        frequent first."""
        said: dict[str, str] = {}
        slots: dict[str, list[str]] = {}
        for cell in self.cells:
            if cell.failure is not None:
                said[cell.failure.code] = cell.failure.remedy
                slots.setdefault(cell.failure.code, []).append(cell.slot)
        found = [(code, tuple(names), said[code]) for code, names in slots.items()]
        return sorted(found, key=lambda one: -len(one[1]))

    @property
    def how(self) -> str:
        """How it ended, in a word or two."""
        over = self.story.over
        if over is None:
            return "it goes on" if self.story.aborted is None else "it ends"
        return "done" if over.kind == "ended" else "stopped"

    @property
    def ending(self) -> str:
        """How it ended, and why."""
        over = self.story.over
        why = self.story.aborted if over is None else over.detail.get("why")
        return self.how if why is None else f"{self.how}: {why}"

    @property
    def ended_utc_us(self) -> int | None:
        return None if self.story.over is None else self.story.over.utc_us

    @property
    def resumed(self) -> int:
        """How often an engine had to go on with it."""
        return sum(event.kind == "resumed" for event in self.story.events)


def sheet_of(story: CampaignStory, rows: Sequence[Sequence[str]]) -> Sheet:
    """`rows`: the slots as they lie on the fixture; slots that are not there any more come last."""
    out = _out(story)
    cells = {slot.slot: _cell(slot, story, dict(out)) for slot in story.slots}
    placed = {name for row in rows for name in row}
    others = tuple(cell for name, cell in cells.items() if name not in placed)
    rack = [tuple(cells[name] for name in row if name in cells) for row in rows]
    attempts = story.attempts.values()
    return Sheet(
        story=story,
        rows=tuple(row for row in (*rack, others) if row),
        attempts=sum(map(len, attempts)),
        out=out,
        slowest=_slowest(record for some in attempts for record in some),
    )


# --- slots ------------------------------------------------------------------------------------


def _cell(slot: CampaignSlot, story: CampaignStory, out: dict[str, str]) -> Cell:
    unit = slot.unit
    name = unit.imei or unit.serial or unit.chip_serial or ""
    if not slot.decided.is_work:
        empty = slot.decided in (Decided.EMPTY, Decided.SLOT_OUT)
        tone = "empty" if empty else "left"
        is_out = slot.decided is Decided.SLOT_OUT
        return Cell(slot.slot, _TOLD[slot.decided], tone, slot.reason, name, is_out=is_out)
    attempts = story.attempts.get(slot.slot, ())
    goes_on = story.over is None
    if not attempts:
        why = _why_not_begun(slot, story)
        if goes_on and not why and story.aborted is None:
            return Cell(slot.slot, "WAITING", "busy", "", name)
        return Cell(slot.slot, "NOT BEGUN", "left", why or "the campaign ended before", name)
    closed = attempts[-1].closed
    if closed is None:
        if goes_on:
            return Cell(slot.slot, "RUNNING", "busy", "", name)
        return Cell(slot.slot, "NO VERDICT", "station", "its result is not on record", name)
    failure = closed.failure
    why = "" if failure is None else f"{failure.code} {failure.headline}: {failure.cause}"
    word = closed.outcome.value.replace("_", " ")
    return Cell(slot.slot, word, _tone(closed.outcome), why, name, slot.slot in out, failure)


def _tone(outcome: Outcome) -> str:
    if outcome.is_good:
        return "good"
    if outcome in (Outcome.BLOCKED, Outcome.ABORTED):
        return "left"
    return "bad" if outcome is Outcome.FAIL else "station"


def _why_not_begun(slot: CampaignSlot, story: CampaignStory) -> str:
    for event in story.events:
        if event.kind == "not_started" and event.detail.get("slot") == slot.slot:
            return str(event.detail.get("why", ""))
    return ""


def _out(story: CampaignStory) -> tuple[tuple[str, str], ...]:
    before = [(s.slot, s.reason) for s in story.slots if s.decided is Decided.SLOT_OUT]
    tonight = [
        (str(event.detail.get("slot", "")), str(event.detail.get("why", "")))
        for event in story.events
        if event.kind == "slot_out"
    ]
    return tuple(dict([*before, *tonight]).items())


# --- steps ------------------------------------------------------------------------------------


def _slowest(attempts: Iterable[AttemptRecord]) -> tuple[SlowStep, ...]:
    spent: dict[str, list[tuple[int, str]]] = {}
    for record in attempts:
        for step in record.steps:
            spent.setdefault(step.name, []).append((step.duration_us, record.opened.slot))
    steps = []
    for name, times in spent.items():
        longest_us, slot = max(times)
        average_us = sum(us for us, _ in times) // len(times)
        steps.append(SlowStep(name, longest_us, slot, average_us))
    return tuple(sorted(steps, key=lambda step: -step.longest_us)[:SLOWEST])
