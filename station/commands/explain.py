"""`station explain`: what happened in an attempt. Reads only; works while an engine runs.

A transcript that is missing, damaged or was deleted for its age is told, and the rest is explained
all the same.
"""

import json
import re
from dataclasses import asdict

from station.commands.attempt_story import Story
from station.commands.evidence import pruned
from station.commands.exits import Exit, show
from station.config import Settings
from station.errors import EvidenceDamaged, EvidenceMissing, EvidenceNotKept, UsageError
from station.evidence.cabinet import TRANSCRIPT, Cabinet
from station.evidence.reading import Read, read_transcript
from station.evidence.words import Line
from station.model import AttemptRecord
from station.store.queries import attempts_called, find_attempts
from station.wire import attempt_json

_ID = re.compile(r"[0-9a-f-]{6,36}")
_CANDIDATES = 5


def explain(
    settings: Settings, attempt: str | None, slot: str | None, *, full: bool, as_json: bool
) -> Exit:
    """Print the story. VERDICT if its transcript should be there and cannot be read.

    Raises UsageError, StoreError.
    """
    story = read_story(settings, find(settings.database, attempt, slot))
    show(json.dumps(_as_json(story, full=full)) if as_json else story.text(full=full))
    return Exit.GOOD if story.trouble is None else Exit.VERDICT


def find(database: str, attempt: str | None, slot: str | None) -> AttemptRecord:
    """The one attempt that was asked for. Raises UsageError, which names others if there are."""
    if (attempt is None) == (slot is None):
        raise UsageError("name one attempt by its id, or --slot for the newest one there")
    if attempt is None:
        if not slot or not slot.strip():
            raise UsageError("--slot is empty")
        newest = find_attempts(database, slot=slot, limit=1)
        if not newest:
            raise UsageError(f"there was no attempt in slot {slot}")
        return newest[0]
    prefix = attempt.strip().lower()
    if not _ID.fullmatch(prefix):
        raise UsageError(
            f"{attempt!r} is no attempt's id, nor at least 6 characters that one begins with"
        )
    found = attempts_called(database, prefix, _CANDIDATES + 1)
    if not found:
        raise UsageError(f"no attempt's id begins with {prefix}")
    if len(found) > 1:
        raise UsageError(f"more than one attempt begins with {prefix}: {_named(found)}")
    return found[0]


def _named(records: list[AttemptRecord]) -> str:
    newest = records[::-1][:_CANDIDATES]
    more = " and more" if len(records) > _CANDIDATES else ""
    return ", ".join(f"{r.opened.attempt_id} ({r.opened.slot})" for r in newest) + more


def read_story(settings: Settings, record: AttemptRecord) -> Story:
    """The record and its transcript, or why that cannot be read."""
    cabinet = Cabinet(settings.evidence)
    try:
        if record.closed is None:
            ref = None
        else:
            kept = (one for one in record.closed.evidence if one.kind == TRANSCRIPT)
            ref = next(kept, None)
        data = cabinet.spooled(record.opened.attempt_id) if ref is None else cabinet.read(ref)
        transcript: Read | None = read_transcript(data) if data else None
    except EvidenceMissing as trouble:
        event = None if record.closed is None else pruned(settings, record.closed)
        return Story(record, None, None if event else trouble, pruned=event)
    except EvidenceNotKept as trouble:
        return Story(record, None, EvidenceMissing(trouble.cause))
    except EvidenceDamaged as trouble:
        return Story(record, None, trouble)
    return Story(record, transcript, None)


def _as_json(story: Story, *, full: bool) -> dict[str, object]:
    record, trouble = story.record, story.trouble
    told: dict[str, object] = {
        "attempt": attempt_json(record),
        "names": [
            {"kind": name.kind.value, "value": name.value, "source": name.source}
            for name in record.opened.identifiers
        ],
        "steps": [asdict(step) | {"outcome": step.outcome.value} for step in record.steps],
        "readings": dict(record.closed.readings) if record.closed else {},
        "why": story.why(),
        "trouble": trouble
        and {"code": trouble.code, "cause": trouble.cause, "remedy": trouble.remedy},
        "pruned": story.pruned and {"utc_us": story.pruned.utc_us, "by": story.pruned.actor},
        "last": [_line_json(line) for line in story.last_exchanges()],
    }
    if full:
        told["transcript"] = [_line_json(line) for line in story.lines]
    return told


def _line_json(line: Line) -> dict[str, object]:
    return {"t_us": line.t_us, "way": line.way, "kind": line.kind, "words": line.words}
