"""Steps: deadlines, repeats, and a record of each, whatever happens."""

from typing import ClassVar, cast

import pytest
import trio

from station.errors import DatabaseError, Disconnected, Nak, StationError, Timeout
from station.flash.runner import StepRunner
from station.flash.session import Session, Step, StepResult
from station.flash.tape import NoTape
from station.model import Identifier, ImageSent, StepOutcome, StepRecord
from tests.mock_time import time_passes


class Notebook:
    def __init__(self) -> None:
        self.steps: list[StepRecord] = []

    async def step(self, record: StepRecord) -> None:
        self.steps.append(record)

    async def image(self, image: ImageSent) -> None:
        raise AssertionError

    async def identifiers(self, identifiers: tuple[Identifier, ...]) -> None:
        raise AssertionError

    async def learn(self, identifiers: tuple[Identifier, ...]) -> None:
        raise AssertionError


def runner_on(notebook: Notebook, started: list[str]) -> StepRunner:
    class Bare:
        recorder = notebook
        tape = NoTape()
        nudges: ClassVar[list[str]] = []

    return StepRunner(cast("Session", Bare()), started.append)


@pytest.mark.trio
async def test_steps_are_counted_timed_and_recorded(autojump_clock: object) -> None:
    notebook, started = Notebook(), list[str]()
    runner = runner_on(notebook, started)

    async def slow(_: Session) -> StepResult:
        await time_passes(2.5)
        return StepResult(bytes=7, detail={"fact": 1})

    async def nothing(_: Session) -> StepResult:
        return StepResult(skipped=True)

    await runner.run(Step("slow", slow), limit_s=3)
    await runner.run(Step("nothing", nothing), limit_s=3)
    first, second = notebook.steps
    assert (first.ordinal, first.name, first.outcome) == (1, "slow", StepOutcome.OK)
    assert (first.duration_us, first.bytes, first.detail) == (2_500_000, 7, {"fact": 1})
    assert (second.ordinal, second.outcome) == (2, StepOutcome.SKIPPED)
    assert started == ["slow", "nothing"]


@pytest.mark.trio
async def test_a_passed_deadline_names_the_step(autojump_clock: object) -> None:
    notebook = Notebook()

    async def stuck(_: Session) -> StepResult:
        await trio.sleep_forever()
        raise AssertionError

    with pytest.raises(Timeout, match=r"erase did not finish within 4 s"):
        await runner_on(notebook, []).run(Step("erase", stuck), limit_s=4)
    assert notebook.steps[0].outcome is StepOutcome.FAILED
    assert "U103" in str(notebook.steps[0].detail["failure"])


@pytest.mark.trio
@pytest.mark.parametrize(
    ("repeatable", "error", "retries", "tries"),
    [
        (True, Disconnected("x"), 2, 3),
        (True, Disconnected("x"), 0, 1),
        (False, Disconnected("x"), 2, 1),
        (True, Nak("x"), 2, 1),
    ],
)
async def test_only_safe_steps_repeat_only_what_may_help(
    repeatable: bool, error: StationError, retries: int, tries: int
) -> None:
    notebook, seen = Notebook(), list[int]()

    async def failing(_: Session) -> StepResult:
        seen.append(1)
        raise error

    with pytest.raises(type(error)):
        await runner_on(notebook, []).run(
            Step("s", failing, repeatable), limit_s=1, retries=retries
        )
    assert len(seen) == tries
    assert [step.retries for step in notebook.steps] == [tries - 1]


@pytest.mark.trio
async def test_a_bug_and_a_cancellation_are_recorded_and_go_on(autojump_clock: object) -> None:
    notebook = Notebook()
    runner = runner_on(notebook, [])

    async def broken(_: Session) -> StepResult:
        raise ZeroDivisionError

    async def stuck(_: Session) -> StepResult:
        await trio.sleep_forever()
        raise AssertionError

    with pytest.raises(ZeroDivisionError):
        await runner.run(Step("broken", broken), limit_s=1)
    with trio.move_on_after(1):
        await runner.run(Step("stuck", stuck), limit_s=100)
    assert [step.outcome for step in notebook.steps] == [StepOutcome.FAILED] * 2


@pytest.mark.trio
async def test_a_record_that_cannot_be_kept_is_raised() -> None:
    class Full(Notebook):
        async def step(self, record: StepRecord) -> None:
            raise DatabaseError("the disk is full")

    async def fine(_: Session) -> StepResult:
        return StepResult()

    with pytest.raises(DatabaseError):
        await runner_on(Full(), []).run(Step("s", fine), limit_s=1)
