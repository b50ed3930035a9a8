"""Seeded rounds of trays: mishaps, odd modules and a station that dies, at random; and what must
hold after each, whatever happened."""

import random
from collections import Counter
from dataclasses import dataclass, field

import trio

from station.engine.once import Tally
from station.engine.world import Order
from station.model import AttemptRecord, Outcome
from station.sim.faults import FAULTS, Traits
from station.sim.mishap import NONE, Cure, Mishap, What
from station.sim.module import SimModule
from tests.faults.bench import (
    ANYBODY,
    NAMED,
    STEPS_STRUCK,
    Bench,
    Rows,
    in_mock_time,
    is_calibrated,
)
from tests.faults.cut import Cut, Dead, MortalBackend
from tests.holding import Broken, hold

ATTEMPTS = 2
"""A campaign's bench gives so many to a module whose failure may pass."""

ROUND_S = 3600.0
"""No slot is at work for longer, whatever befalls its module."""

FULL_FLASH_S = 45.0
"""A healthy module is done by then; a station that dies does so before."""

ODD = tuple(
    name
    for name, fault in FAULTS.items()
    if not (fault.traits.bad_blocks or fault.traits.other_geometry or fault.traits.efs_moved)
)
"""Faults of the module itself; in its place are those whose flash differs from the others'."""


SWALLOWING = (What.HANGS, What.MUTE, What.GARBAGE, What.CONTACT)
"""A module that missed a transfer cannot say whether the next one is in order."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is the matter with the module of one slot."""

    mishap: Mishap = NONE
    fault: str | None = None

    @property
    def traits(self) -> Traits:
        return Traits() if self.fault is None else FAULTS[self.fault].traits

    @property
    def is_healthy(self) -> bool:
        return self.mishap is NONE and self.fault is None


@dataclass(frozen=True, slots=True)
class Round:
    """One tray. `dies_s`: so long after the start the station does, None for never."""

    seed: int
    cases: dict[str, Case]
    dies_s: float | None


@dataclass(slots=True)
class Totals:
    attempts: int = 0
    rounds: int = 0
    deaths: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Totals") -> None:
        self.attempts += other.attempts
        self.rounds += other.rounds
        self.deaths += other.deaths
        self.outcomes += other.outcomes
        self.codes += other.codes


def draw(seed: int, slots: list[str]) -> Round:
    """The round of this seed."""
    chance = random.Random(seed)
    cases = {slot: _case(chance) for slot in slots}
    dies_s = chance.uniform(0.0, FULL_FLASH_S) if chance.random() < 0.25 else None
    return Round(seed, cases, dies_s)


def _case(chance: random.Random) -> Case:
    kind = chance.random()
    if kind < 0.15:
        return Case()
    if kind < 0.3:
        return Case(fault=chance.choice(ODD))
    return Case(
        Mishap(
            chance.choice(list(What)),
            chance.choice(STEPS_STRUCK),
            chance.choice(list(Cure)),
            after=chance.choice((0, 0, 1, 2, 5, 20)),
            times=chance.choice((1, 1, 1, 2, 3, 1_000_000)),
        )
    )


def play(bench: Bench, round_: Round, totals: Totals) -> None:
    """One tray from its arrival to its last verdict. Raises Broken."""

    async def work() -> None:
        with trio.fail_after(4 * ROUND_S):
            await _Tray(bench, round_, totals).work()

    try:
        in_mock_time(work, round_.seed)
    except Broken:
        raise
    except BaseException as error:
        raise Broken(f"it came out: {error!r}") from error
    totals.rounds += 1


class _Tray:
    def __init__(self, bench: Bench, round_: Round, totals: Totals) -> None:
        self._bench = bench
        self._round = round_
        self._totals = totals
        self._modules = {
            slot: bench.module(case.mishap, case.traits) for slot, case in round_.cases.items()
        }
        self._ports = bench.plug(self._modules)

    async def work(self) -> None:
        """Once, with the station dying in it or not; then what is left, by a person's order."""
        died = False
        if self._round.dies_s is not None:
            died = await self._flash_and_die(self._round.dies_s)
        await self._flash("first", *self._modules, died=died)
        bad = [slot for slot, module in self._modules.items() if self._is_unfinished(module)]
        if bad:
            await self._flash("by order", *bad, order=NAMED)

    def _is_unfinished(self, module: SimModule) -> bool:
        return self._bench.flash_of(module) == "partly"

    async def _flash_and_die(self, dies_s: float) -> bool:
        backend = MortalBackend(tuple(self._ports.values()))
        backend.cut = cut = Cut(trio.current_time() + dies_s)
        before = self._bench.rows()
        died = False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cut.strike)
                await self._bench.flash(backend, *self._modules, wrap=cut.store)
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            _, others = group.split(Dead)
            if others is not None:
                raise
            died = True
        rows = self._bench.rows()
        self._totals.attempts += rows.opened - before.opened
        self._totals.deaths += died
        hold(died or rows.left_open == 0, "an attempt is open although the station lives")
        return died

    async def _flash(
        self, name: str, *slots: str, order: Order = ANYBODY, died: bool = False
    ) -> None:
        before = self._bench.rows()
        states = {slot: self._bench.flash_of(self._modules[slot]) for slot in slots}
        began_s = trio.current_time()
        tally = await self._bench.flash(
            MortalBackend(tuple(self._ports.values())), *slots, order=order
        )
        self._check_rows(tally, slots, before)
        hold(trio.current_time() - began_s < ROUND_S, f"{name}: a slot was at work for an hour")
        for record in tally.records:
            slot = record.opened.slot
            self._check(f"{name} {slot}", self._modules[slot], record, states[slot])
            if self._round.cases[slot].is_healthy and not died and name == "first":
                hold(record.closed is not None and record.closed.outcome.is_good,
                      f"{slot} is healthy and got {record.closed}")  # fmt: skip

    def _check_rows(self, tally: Tally, slots: tuple[str, ...], before: Rows) -> None:
        after = self._bench.rows()
        got = Counter(record.opened.slot for record in tally.records)
        hold(set(got) == set(slots) and not tally.lost, f"verdicts for {got}, lost {tally.lost}")
        most = self._bench.attempts
        hold(max(got.values()) <= most, f"more than {most} attempts: {got}")
        _check_chain(tally.records)
        hold(after.left_open == 0, f"{after.left_open} attempts are left open")
        opened, closed = after.opened - before.opened, after.closed - before.closed
        hold(opened == len(tally.records), f"{opened} attempts, {len(tally.records)} told")
        wanted = opened + before.left_open
        hold(closed == wanted, f"{closed} outcomes where {wanted} were due")
        self._totals.attempts += opened

    def _check(self, where: str, module: SimModule, record: AttemptRecord, before: str) -> None:
        closed = record.closed
        if closed is None:
            raise Broken(f"{where}: no outcome")
        self._totals.outcomes[closed.outcome.value] += 1
        if closed.failure is not None:
            self._totals.codes[closed.failure.code] += 1
        state = self._bench.flash_of(module)
        hold(is_calibrated(module), f"{where}: the calibration is damaged")
        if closed.outcome is Outcome.PASS:
            hold(state == "new", f"{where}: PASS, but the flash is {state}")
            told = closed.firmware_after
            hold(told == module.layout.newer_version, f"{where}: PASS with {told}")
        if closed.outcome is Outcome.BLOCKED:
            hold(state == before, f"{where}: BLOCKED, but the flash went from {before} to {state}")
        hold(closed.failure is None or not closed.failure.code.startswith("X"),
              f"{where}: {closed.failure}")  # fmt: skip
        swallows = module.fate.struck and module.fate.mishap.what in SWALLOWING
        orphaned = self._round.dies_s is not None  # amid a program: whoever comes next must ask
        hold(swallows or orphaned or module.breaches == [], f"{where}: {module.breaches[:2]}")


def _check_chain(records: list[AttemptRecord]) -> None:
    """What is tried again has failed in a way that may pass; the next attempt names it."""
    last: dict[str, AttemptRecord] = {}
    for record in records:
        before = last.get(record.opened.slot)
        follows = None if before is None else before.opened.attempt_id
        hold(record.follows == follows, f"{record.opened.slot}: follows {record.follows}")
        if before is not None:
            closed = before.closed
            failure = closed.failure if closed and closed.outcome is Outcome.FAIL else None
            hold(failure and failure.retryable, f"tried again after {closed}")
        last[record.opened.slot] = record
