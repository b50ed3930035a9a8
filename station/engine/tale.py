"""What screens are told of one slot: its view, its transcript, its lines in the log."""

from dataclasses import replace

import trio

from station.engine import views
from station.engine.attempt import Attempt
from station.engine.feed import Feed
from station.errors import Bug
from station.live import SlotState, SlotView, StepView
from station.model import Failure, Outcome

SHOW_S = 0.1
"""Progress is shown no more often; there are thousands of chunks."""

RATE_S = 1.0
"""MB/s are measured over this time."""


class Tale:
    """`view` is what is shown, or is about to be."""

    def __init__(self, feed: Feed, view: SlotView) -> None:
        self.view = view
        self._feed = feed
        self._slot = view.slot
        self._rate: tuple[float, int] = (0.0, 0)
        self._shown_s = 0.0

    def show(self, view: SlotView) -> None:
        self.view = view
        self._feed.show_slot(view)

    def note(self, text: str, *, good: bool | None = None) -> None:
        """A line in the log."""
        self._feed.log(text, slot=self._slot, good=good)

    def quote(self, text: str) -> None:
        """A line in the transcript of the attempt."""
        self._feed.tell(self._slot, text)

    # --- an attempt ------------------------------------------------------------------------

    def begin(self) -> None:
        self._feed.begin(self._slot)
        which = f" {self._which(self.view.attempt)}" if self.view.attempt > 1 else ""
        self.note(f"attempt{which} begins")

    def step(self, attempt: Attempt, step: str) -> SlotState:
        """A step begins; the state it belongs to. Not shown yet: the state may change with it."""
        self._quote_last_step(attempt)
        self.quote(f"{step} …")
        view = views.with_unit(self.view, attempt.session.unit)
        view = views.with_recipe(view, attempt.recipe)
        past = tuple(map(views.step_view, attempt.journal.steps))
        self._rate = (trio.current_time(), 0)
        self.view = replace(
            view,
            attempt_id=attempt.journal.attempt_id,
            began_utc_us=attempt.started_utc_us,
            step=step,
            steps=(*past, StepView(step)),
            done_bytes=0,
            total_bytes=0,
            bytes_per_s=0,
        )
        return (
            self.view.state if step == "recover" else views.PHASE_OF.get(step, SlotState.FLASHING)
        )

    def progressed(self, done_bytes: int, total_bytes: int) -> None:
        """Called for every chunk, shown a few times a second."""
        now_s = trio.current_time()
        if now_s < self._shown_s + SHOW_S and done_bytes < total_bytes:
            return
        self._shown_s = now_s
        since_s, before = self._rate
        rate = self.view.bytes_per_s
        if now_s - since_s >= RATE_S and done_bytes >= before:
            rate = round((done_bytes - before) / (now_s - since_s))
            self._rate = (now_s, done_bytes)
        self.show(
            replace(self.view, done_bytes=done_bytes, total_bytes=total_bytes, bytes_per_s=rate)
        )

    def put_back(self, until_s: float | None, now_utc_us: int) -> None:
        """A hand is waited for, or not any more. The screens' clock is the wall's."""
        until_utc_us = None
        if until_s is not None:
            until_utc_us = now_utc_us + round((until_s - trio.current_time()) * 1_000_000)
            if self.view.put_back_until_utc_us is None:
                self.note(f"left slot {self._slot}: put it back if it was pulled out", good=False)
        self.show(replace(self.view, put_back_until_utc_us=until_utc_us))

    def end(self, attempt: Attempt, lost: Failure | None) -> None:
        """What was committed, or that nothing could be. Not shown yet."""
        self._quote_last_step(attempt)
        view = views.with_unit(self.view, attempt.session.unit)
        if attempt.record is not None:
            view = views.with_verdict(view, attempt.record)
        else:
            unsaid = Bug("the attempt ended without a verdict")
            view = views.with_trouble(view, lost or Failure.of(unsaid))
        self.view = replace(view, done_bytes=0, total_bytes=0)

    def trying_again(self) -> None:
        """In the log: the attempt failed, and the next one begins."""
        words = self._words()
        self.note(f"{self._who()} {words}; trying again, {self._which(self.view.attempt + 1)}")

    def verdict(self) -> None:
        """The verdict in the log and at the end of the transcript."""
        outcome, words = self.view.outcome, self._words()
        good = True if outcome is not None and outcome.is_good else None
        if outcome in (None, Outcome.FAIL, Outcome.ERROR):
            good = False  # a refusal, an abort or a power cut is no fault
        self.note(f"{self._who()} {words}", good=good)
        self._feed.tell(self._slot, words, good=good)

    def _words(self) -> str:
        outcome, failure = self.view.outcome, self.view.failure
        words = "NOT SAVED" if outcome is None else outcome.value.replace("_", " ")
        if failure is not None:
            words += f" {failure.code} {failure.headline}: {failure.cause}"
        return words

    def _who(self) -> str:
        return self.view.imei or self.view.serial or self.view.chip_serial or "unknown unit"

    def _which(self, number: int) -> str:
        return f"{number} of {self.view.attempts}"

    def _quote_last_step(self, attempt: Attempt) -> None:
        if attempt.journal.steps:
            last = views.step_view(attempt.journal.steps[-1])
            seconds = (last.duration_us or 0) / 1e6
            outcome = "" if last.outcome is None else last.outcome.value
            self.quote(f"{last.name} {outcome} after {seconds:.1f} s  {last.detail}".rstrip())
