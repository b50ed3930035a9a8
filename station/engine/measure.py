"""What was measured of an attempt, from its steps and its session.

    write_rate, verify_rate   B/s   over all images, of the last time they were written or read back
    erase_us                  us    all erases, bound by the recipe's limit
    return_us                 us    from its reset until it showed itself again, bound likewise
    bad_blocks                1     skipped in the images, as the read-back found them
    retries                   1     steps taken once more, and rungs of the recovery ladder
    power_cycles              1     those that were made, bound by what the ladder allows

Nothing is measured of a module that was only looked at.
"""

from collections.abc import Iterator, Sequence

from station.errors import PowerUnswitchable
from station.flash.ladder import RUNGS, Rung
from station.flash.session import Session
from station.model import Measurement, StepOutcome, StepRecord

RECOVER_STEP = "recover"


def measured(steps: Sequence[StepRecord], session: Session) -> tuple[Measurement, ...]:
    """By name; what the attempt did not come to is left out."""
    if not (session.switched or session.touched):
        return ()
    done = {step.name: step for step in steps if step.outcome is StepOutcome.OK}
    found = (*_flash(done, session), *_trouble(steps))
    return tuple(sorted(found, key=lambda one: one.name))


def _flash(done: dict[str, StepRecord], session: Session) -> Iterator[Measurement]:
    limits = None if session.recipe is None else session.recipe.limits
    for step, name in (("program", "write_rate"), ("verify", "verify_rate")):
        if step in done and done[step].duration_us > 0:
            rate = done[step].bytes * 1_000_000 // done[step].duration_us
            yield Measurement(name, rate, "B/s")
    if "erase" in done:
        yield Measurement("erase_us", done["erase"].duration_us, "us", None, _us(limits, "erase"))
    if session.return_us is not None:
        yield Measurement("return_us", session.return_us, "us", None, _us(limits, "confirm"))
    if "verify" in done:
        counts = done["verify"].detail.items()
        found = sum(int(count) for name, count in counts if name.startswith("bad blocks"))
        yield Measurement("bad_blocks", found, "1")


def _trouble(steps: Sequence[StepRecord]) -> Iterator[Measurement]:
    rungs = [step for step in steps if step.name == RECOVER_STEP]
    repeats = sum(step.retries for step in steps)
    yield Measurement("retries", repeats + len(rungs), "1")
    cycles = sum(map(_was_off, rungs))
    yield Measurement("power_cycles", cycles, "1", None, RUNGS[Rung.POWER])


def _was_off(rung: StepRecord) -> bool:
    """Its power was taken away, whether that brought it back or not."""
    refused = str(rung.detail.get("failure", "")).startswith(PowerUnswitchable.code)
    return rung.detail["rung"] == Rung.POWER.value and not refused


def _us(limits: object, step: str) -> int | None:
    limit_s = getattr(limits, step, None)
    return None if limit_s is None else round(limit_s * 1_000_000)
