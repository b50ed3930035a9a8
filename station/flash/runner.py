"""Runs steps: a deadline each, repeats where they are safe, a record of every one."""

from collections.abc import Callable

import trio

from station.errors import StationError
from station.flash.session import Session, Step, StepResult
from station.model import StepOutcome, StepRecord

MOST_NUDGES = 8
"""On record for one step."""


class StepRunner:
    """Counts the steps of one attempt and hands their records on as they end."""

    def __init__(self, session: Session, started: Callable[[str], None]) -> None:
        self._session = session
        self._started = started
        self._ordinal = 0

    async def run(self, step: Step, *, limit_s: float, retries: int = 0) -> StepResult:
        """Run one step, again if it is repeatable; its record is safe before this returns.

        `limit_s` is for each try. Raises what the step raises; a passed deadline becomes the
        step's own error for it, naming the step.
        """
        self._started(step.name)
        self._session.tape.said("step", step.name)
        self._session.nudges.clear()
        begun = trio.current_time()
        again = 0
        while True:
            try:
                result = await _within(step, self._session, limit_s)
            except StationError as error:
                if step.repeatable and error.retryable and again < retries:
                    again += 1
                    self._session.tape.said("again", f"{step.name}: {error.code} {error.cause}")
                    continue
                await self._record(step, begun, again, StepOutcome.FAILED, error=error)
                raise
            except BaseException:  # a bug or a cancellation: recorded, never held back
                with trio.move_on_after(5, shield=True):
                    await self._record(step, begun, again, StepOutcome.FAILED)
                raise
            outcome = StepOutcome.SKIPPED if result.skipped else StepOutcome.OK
            await self._record(step, begun, again, outcome, result=result)
            return result

    async def _record(
        self,
        step: Step,
        begun: float,
        retries: int,
        outcome: StepOutcome,
        *,
        result: StepResult | None = None,
        error: StationError | None = None,
    ) -> None:
        self._ordinal += 1
        detail = dict(step.detail) | dict(result.detail if result else {})
        if self._session.nudges:
            detail["nudges"] = "; ".join(self._session.nudges[:MOST_NUDGES])
        if error is not None:
            detail["failure"] = f"{error.code}: {error.cause}"
        self._session.tape.said("ended", f"{step.name} {outcome.value}")
        await self._session.recorder.step(
            StepRecord(
                ordinal=self._ordinal,
                name=step.name,
                outcome=outcome,
                duration_us=round((trio.current_time() - begun) * 1_000_000),
                retries=retries,
                bytes=result.bytes if result else 0,
                detail=detail,
            )
        )


async def _within(step: Step, session: Session, limit_s: float) -> StepResult:
    try:
        with trio.fail_after(limit_s):
            return await step.run(session)
    except trio.TooSlowError:
        raise step.late(f"{step.name} did not finish within {limit_s:g} s") from None
