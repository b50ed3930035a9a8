"""One attempt in words, from its rows and its transcript. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from station.errors import StationError
from station.evidence.cabinet import TRANSCRIPT
from station.evidence.reading import Read
from station.evidence.words import Line, folded, in_words, printable
from station.model import (
    BACKUP_STEP,
    DUMP_STEP,
    AttemptRecord,
    EvidenceRef,
    Measurement,
    Mode,
    Outcome,
    StationEvent,
    StepOutcome,
    StepRecord,
    VerifyKind,
)

LAST_LINES = 16
"""What a person reads of the exchanges before a failure; `--full` has them all."""

_LOOKED_AT = 400
_SHIFTS = 24
_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_AFTER_A_FAILURE = ("recover", "give_back")
_NO_EXCHANGE = ("notice", "open", "image", "port", "verdict", "recovery")

_MEANS = {
    Outcome.FAIL: "This counts against the unit.",
    Outcome.BLOCKED: "The station refused before it wrote anything.",
    Outcome.ERROR: "This is the station's own trouble and says nothing about the unit.",
    Outcome.ABORTED: "A person stopped it.",
    Outcome.INTERRUPTED: "The engine died; the next start found the attempt open and closed it.",
}


_STOOD = {
    Mode.ABSENT: "there was no module",
    Mode.RUNTIME: "the module was in normal mode",
    Mode.EDL: "the module was in EDL",
    Mode.DLOAD: "the module waited in its boot loader",
    Mode.CRASHED: "the module showed a crash",
    Mode.FOREIGN: "something else was in the slot",
    Mode.UNKNOWN: "nobody saw the module",
}


@dataclass(frozen=True)
class Story:
    """`trouble`: there should be a transcript, and it cannot be read. `pruned`: it was deleted for
    its age by then."""

    record: AttemptRecord
    transcript: Read | None
    trouble: StationError | None
    pruned: StationEvent | None = None

    # --- the whole ----------------------------------------------------------------------------

    def text(self, *, full: bool) -> str:
        parts = [self._headline(), self._facts(), self._steps(), self._measured()]
        parts += [self._part("On the bus", "port"), self._part("Recovery", "recovery")]
        if full:
            parts.append(_section("Every message", map(_shown, self.lines)))
        else:
            failed = self._failed_step()
            where = f"before {failed.name} failed" if failed else "before it ended"
            parts.append(_section(f"Last exchanges {where}", map(_shown, self.last_exchanges())))
        parts += [_section("Why", self.why()), self._evidence()]
        return "\n\n".join(part for part in parts if part) + "\n"

    @cached_property
    def lines(self) -> list[Line]:
        """The transcript, every line."""
        return [] if self.transcript is None else list(in_words(self.transcript.entries))

    def last_exchanges(self) -> list[Line]:
        """What was said last before it went wrong; nothing for an attempt that went well."""
        closed = self.record.closed
        if closed is not None and closed.outcome.is_good:
            return []
        until = len(self.lines)
        if failed := self._failed_step():
            end = f"ended: {failed.name} {StepOutcome.FAILED.value}"
            ends = [n for n, line in enumerate(self.lines) if line.words == end]
            until = ends[-1] if ends else until
        near = self.lines[max(0, until - _LOOKED_AT) : until]
        return folded(line for line in near if line.kind not in _NO_EXCHANGE)[-LAST_LINES:]

    def why(self) -> list[str]:
        """Why the verdict, what became of the module, what to do: a sentence each."""
        closed = self.record.closed
        if closed is None:
            return ["There is no verdict: the attempt is still running, or its engine died."]
        failure = closed.failure
        if failure is None:
            return _why_good(self.record)
        told = [f"{failure.code} {failure.headline}: {printable(failure.cause)}."]
        told.append(_MEANS.get(closed.outcome, ""))
        told.append(self._what_became())
        told += _backups(self.record)
        told.append(f"What to do: {failure.remedy}")
        if failure.retryable:
            told.append("Trying again can help.")
        return list(filter(None, told))

    # --- its parts ----------------------------------------------------------------------------

    def _headline(self) -> str:
        closed, attempt_id = self.record.closed, self.record.opened.attempt_id
        if closed is None:
            return f"Attempt {attempt_id}: still open"
        failure = closed.failure
        named = f" {failure.headline} ({failure.code})" if failure else ""
        return f"Attempt {attempt_id}: {closed.outcome.value}{named}"

    def _facts(self) -> str:
        opened, closed = self.record.opened, self.record.closed
        recipe, package = opened.recipe, opened.package
        after = closed.firmware_after if closed else None
        names = dict.fromkeys(f"{n.kind.value} {n.value} ({n.source})" for n in opened.identifiers)
        model = " ".join(filter(None, (opened.unit.model, opened.unit.sku)))
        length = f", {closed.duration_us / 1e6:.1f} s" if closed else ""
        rows = {
            "unit": f"{model or 'of unknown model'}; {', '.join(names) or 'without any name'}",
            "slot": f"{opened.slot}, port {opened.port_path or 'empty'}, "
            f"station {opened.station} at {opened.site}",
            "when": f"{_moment(opened.started_utc_us)} UTC{length}",
            "by": f"{opened.operator}, {opened.trigger}, software {opened.software_version}",
            "recipe": recipe and f"{recipe.name} revision {recipe.revision}, {recipe.sha256}",
            "package": package and f"{package.name}, {package.sha256}",
            "plan": opened.plan_sha256,
            "firmware": f"{opened.unit.firmware or 'unknown'} before, {after or 'unknown'} after",
        }
        return "\n".join(f"  {name:<9} {_short(text)}" for name, text in rows.items() if text)

    def _steps(self) -> str:
        return _section("Step by step", self._step_lines())

    def _step_lines(self) -> Iterator[str]:
        begun_us = 0
        for step in self.record.steps:
            took = f"{begun_us / 1e6:8.1f} s  {step.name:<16} {step.outcome.value:<8}"
            yield f"{took}{step.duration_us / 1e6:8.1f} s  {self._detail(step)}".rstrip()
            begun_us += step.duration_us

    def _detail(self, step: StepRecord) -> str:
        facts = [f"{name.replace('_', ' ')}: {value}" for name, value in step.detail.items()]
        if step.bytes:
            facts.insert(0, f"{step.bytes} bytes")
        if step.retries:
            facts.insert(0, f"tried {step.retries + 1} times")
        return _short("; ".join(facts))

    def _measured(self) -> str:
        closed = self.record.closed
        return _section("Measured", list(map(_value, closed.measurements)) if closed else [])

    def _part(self, title: str, kind: str) -> str:
        found = [line for line in self.lines if line.kind == kind]
        shown = [f"{_at(line)} {line.words.removeprefix(f'{kind}: ')}" for line in found[:_SHIFTS]]
        more = len(found) - len(shown)
        return _section(title, [*shown, *([f"and {more} more"] if more else [])])

    def _failed_step(self) -> StepRecord | None:
        """The last one of the work that failed: earlier ones were got over, and what comes after is
        recovering or giving the module back."""
        failed = (s for s in self.record.steps[::-1] if s.outcome is StepOutcome.FAILED)
        return next((s for s in failed if s.name not in _AFTER_A_FAILURE), None)

    def _what_became(self) -> str:
        closed = self.record.closed
        mode = _STOOD[closed.final_mode] if closed else _STOOD[Mode.UNKNOWN]
        begun = {step.name for step in self.record.steps if step.outcome is not StepOutcome.SKIPPED}
        if closed and closed.outcome is Outcome.INTERRUPTED and "erase" not in begun:
            # A step is on record when it has ended.
            return "Whether the flash memory was changed in this attempt is not on record."
        change = "was changed" if "erase" in begun else "was not changed"
        if "erase" not in begun and BACKUP_STEP in begun:
            change += ", but for the module's own backup,"
        return f"The flash memory {change} in this attempt; at the end {mode}."

    def _evidence(self) -> str:
        closed = self.record.closed
        if self.trouble is not None:
            told = f"{self.trouble.code} {self.trouble.headline}: {self.trouble.cause}."
            return _section("Evidence", [printable(told), f"What to do: {self.trouble.remedy}"])
        if self.pruned is not None:
            who, when = self.pruned.actor or "nobody", _moment(self.pruned.utc_us)
            age = self.pruned.detail.get("older_than_days")
            told = f"no transcript: {who} deleted all older than {age} days at {when} UTC"
            return _section("Evidence", [printable(told)])
        if closed is None:
            return ""
        lines: list[str] = []
        if all(kept.kind != TRANSCRIPT for kept in closed.evidence):
            why = closed.readings.get("evidence", "none was kept for this attempt")
            lines.append(f"no transcript: {printable(why)}")
            if self.lines:
                lines.append(f"{len(self.lines)} lines of it lie there still; --full shows them")
        for kept in closed.evidence:
            lines += [f"{kept.kind} {kept.sha256}", self._length(kept)]
        return _section("Evidence", lines)

    def _length(self, kept: EvidenceRef) -> str:
        if kept.kind == TRANSCRIPT:
            return f"{len(self.lines)} lines, {kept.length_bytes} bytes; --full shows all"
        return f"{kept.length_bytes} bytes, {kept.stored_bytes} packed; nothing to write back"


def _why_good(record: AttemptRecord) -> list[str]:
    closed = record.closed
    firmware = closed.firmware_after if closed else None
    if closed is not None and closed.outcome is Outcome.NO_CHANGE:
        return [f"The module had {firmware or 'what it should have'} already; nothing was written."]
    count = len(record.images)
    told = [f"{count} images were sent, and the digest of what left is that of the package."]
    if closed is not None and closed.verify is VerifyKind.READBACK:
        told.append("Every image was read back from the flash memory and is the same.")
    told += _backups(record)
    same = "; IMEI and serial number are those of before" if record.opened.unit.imei else ""
    told.append(f"After its restart the module says {firmware}{same}.")
    return told


def _backups(record: AttemptRecord) -> Iterator[str]:
    """What was made safe before the module was changed."""
    for step in record.steps:
        if step.outcome is not StepOutcome.OK:
            continue
        if step.name == BACKUP_STEP:
            counted = f"{step.detail['backups_before']} to {step.detail['backups_after']}"
            yield f"The module had backed itself up: it counted its backups from {counted}."
        elif step.name == DUMP_STEP:
            yield f"Its EFS2 was kept as it was before the first erase: {step.bytes} bytes."


def _value(measured: Measurement) -> str:
    unit = "" if measured.unit == "1" else f" {measured.unit}"
    bounds = ((" at least", measured.lowest), (" at most", measured.highest))
    held = " and".join(f"{word} {bound}" for word, bound in bounds if bound is not None)
    return f"{measured.name:<14} {measured.value}{unit}{held and f',{held}'}"


def _section(title: str, lines: "Iterator[str] | list[str] | map[str]") -> str:
    told = [f"  {line}" for line in lines]
    return "\n".join([title, *told]) if told else ""


def _shown(line: Line) -> str:
    return f"{_at(line)} {line.way:2} {line.words}"


def _at(line: Line) -> str:
    return f"{line.t_us / 1e6:12.6f}"


def _short(text: str) -> str:
    """Digests as far as a person compares them."""
    return _DIGEST.sub(r"\1…", printable(text))


def _moment(utc_us: int) -> str:
    return f"{datetime.fromtimestamp(utc_us / 1e6, UTC):%Y-%m-%d %H:%M:%S}"
