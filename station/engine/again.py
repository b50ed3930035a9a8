"""The last rung before the verdict: a module that failed in a way that may pass is tried again.

Each attempt is a row of its own; the failed one stays FAIL, and the next one's first step names it.
What counts for the slot and the line is what came of the unit in the end.
"""

from dataclasses import replace

from station.engine.fate import counts_against
from station.engine.views import same_unit
from station.engine.world import Before, Order
from station.errors import PulledOut, Swapped
from station.flash.session import Session, Step, StepResult
from station.model import AGAIN_STEP, AttemptRecord, Mode, Outcome

TRIGGER = "again"

_CAN_BE_TRIED = (Mode.RUNTIME, Mode.EDL, Mode.CRASHED)


def next_order(
    order: Order, record: AttemptRecord | None, session: Session, attempts: int, *, changed: bool
) -> Order | None:
    """What follows this attempt, which has ended: another one, or None, then its verdict stands.

    Only after a FAIL that may pass, with `attempts` left and the module there. In EDL nobody can
    ask it, so it must be the enumeration that was worked on.
    """
    device = session.port.device
    if record is None or device is None or order.number >= attempts:
        return None
    if not _may_pass(record) or session.mode not in _CAN_BE_TRIED:
        return None
    if session.mode is Mode.EDL and session.trusted != device:
        return None
    before = Before(record, device, order.number, changed)
    return replace(order, trigger=TRIGGER, resumes=None, after=before)


def _may_pass(record: AttemptRecord) -> bool:
    closed = record.closed
    if closed is None or closed.failure is None:
        return False
    return closed.outcome is Outcome.FAIL and closed.failure.retryable


def step(before: Before, attempts: int) -> Step:
    """On record before anything else: which attempt this one follows, and why."""

    async def tell(_: Session) -> StepResult:
        return StepResult(
            detail={
                "attempt": f"{before.number + 1} of {attempts}",
                "follows": before.record.opened.attempt_id,
                "because": _because(before.record),
            }
        )

    return Step(AGAIN_STEP, tell)


def _because(record: AttemptRecord) -> str:
    failure = None if record.closed is None else record.closed.failure
    return "" if failure is None else f"{failure.code} {failure.headline}"


def check_same(before: Before, session: Session) -> None:
    """Raises Swapped for a module that contradicts the one that failed, or that is in EDL and may
    be any; PulledOut if that one was changed: then what counts for it is that it is away."""
    known = before.record.closed.unit if before.record.closed else before.record.opened.unit
    same = same_unit(session.unit, known)
    by_itself = session.mode is Mode.EDL and session.port.device != before.device
    if same is False or (same is None and by_itself):
        words = "another module may be in the slot than the one that failed"
        raise PulledOut(words) if before.changed else Swapped(words)


def judged(order: Order, record: AttemptRecord | None) -> AttemptRecord | None:
    """The verdict that counts for the unit: the last attempt's, or the failure before it where that
    one says nothing of the unit (it was stopped, refused, not recorded)."""
    if order.after is None or (record is not None and _judges(record)):
        return record
    return order.after.record


def _judges(record: AttemptRecord) -> bool:
    closed = record.closed
    if closed is None:
        return False
    code = None if closed.failure is None else closed.failure.code
    return closed.outcome.is_good or counts_against(closed.outcome, code)


def last_of_each(records: list[AttemptRecord]) -> list[AttemptRecord]:
    """Those without the failed ones that were followed by an attempt which judges the unit."""
    followed = {record.follows for record in records if _judges(record)}
    return [record for record in records if record.opened.attempt_id not in followed]
