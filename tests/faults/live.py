"""A tray on the running line: its slots on two hubs, hands and hubs in the way of its modules; and
what must hold once it has come to rest.

Every attempt is judged as in any other round. Whatever became of a slot, its module can be taken
out, and a new one in its place is flashed.
"""

import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import trio

from station.config import Settings
from station.live import BUSY, SlotState
from station.model import AttemptRecord, Outcome
from station.sim.backend import SimBackend
from station.sim.module import SimModule
from station.sim.tray import SimTray, port_of
from station.wire import Retry
from tests.engine import tray
from tests.engine.line import Running, running
from tests.faults.bench import ON_A_HUB, Bench
from tests.faults.judge import Run, by_slot
from tests.faults.witness import Seen, Witness
from tests.holding import Broken, hold

QUIET_S = 15.0
"""What has not begun by then does not begin by itself."""

_IN_DOUBT = {SlotState.SETTLING, SlotState.PROBING, SlotState.RETURNING}
AT_REST = frozenset(SlotState) - BUSY - _IN_DOUBT
LEFT = frozenset({SlotState.EMPTY, SlotState.AWAY, SlotState.PULLED})
"""What a slot may be without a module."""


@dataclass(frozen=True, slots=True)
class Hand:
    """These slots lose their modules in the same moment, by a hand or with their hub; `away_s`
    later they have them again, None for never."""

    slots: tuple[str, ...]
    at_s: float
    away_s: float | None


def draw_hands(chance: random.Random, slots: Sequence[str], until_s: float) -> tuple[Hand, ...]:
    """Each slot once at most."""
    hands: list[Hand] = []
    for start in range(0, len(slots), ON_A_HUB):
        hub = slots[start : start + ON_A_HUB]
        if chance.random() < 0.5:
            hands.append(Hand(tuple(hub), chance.uniform(0.0, until_s), chance.uniform(0.2, 20.0)))
        else:
            hands += [_hand(chance, slot, until_s) for slot in hub if chance.random() < 0.3]
    return tuple(hands)


def _hand(chance: random.Random, slot: str, until_s: float) -> Hand:
    away_s = chance.choice((0.5, 5.0, 20.0, 60.0, None))
    return Hand((slot,), chance.uniform(0.0, until_s), away_s)


@dataclass(kw_only=True)
class _OnHubs(tray.Line):
    given: Settings

    def settings(self) -> Settings:
        return self.given


class LiveTray:
    """`rest_s`: it has come to rest by then. `work` once; raises Broken."""

    def __init__(
        self, bench: Bench, modules: Mapping[str, SimModule], hands: Sequence[Hand], rest_s: float
    ) -> None:
        self._bench = bench
        self._modules = dict(modules)
        self._hands = hands
        self._rest_s = rest_s
        self._ports = {slot.name: port_of(slot) for slot in bench.on_hubs.slots}
        self._backend = SimBackend(tuple(self._ports.values()))
        self._witness = Witness(bench, self._modules)
        self._before: dict[str, Seen] = {}
        self.pulled = frozenset(slot for hand in hands for slot in hand.slots)

    async def work(self) -> list[Run]:
        """Until it rests; then with a new module in each slot, until that has passed."""
        place = _OnHubs(
            self._bench.folder,
            SimTray(self._ports, self._modules),
            self._backend,
            given=self._bench.on_hubs,
        )
        place.switch_power()
        shelf, wrap = self._bench.shelf, self._witness.store
        async with running(place, shelf=shelf, wrap=wrap) as run:
            await run.arm(expect="none")
            drawn = await self._until_judged(run, "live", self._play)
            anew = await self._until_judged(run, "live, a new module", self._exchange)
        for slot, chain in anew.chains.items():
            good = [record.closed and record.closed.outcome is Outcome.PASS for record in chain]
            hold(good == [True], f"a new module in {slot} got {chain[-1:] or 'no attempt'}")
        return [drawn, anew]

    async def _until_judged(
        self, run: Running, name: str, deed: Callable[[Running], Awaitable[None]]
    ) -> Run:
        newest = self._bench.newest()
        await deed(run)
        await self._rest(run)
        rows = self._bench.rows()
        hold(rows.left_open == 0, f"{rows.left_open} attempts are left open")
        records = self._bench.recorded_since(newest)
        chains = by_slot(self._modules, records)
        judged = Run(self._witness, self._before, chains, is_line=True, pulled=self.pulled)
        judged.judge(name)
        for chain in chains.values():
            check_follows(chain)
        return judged

    async def _play(self, _: Running) -> None:
        self._plug_all()
        async with trio.open_nursery() as nursery:
            for hand in self._hands:
                nursery.start_soon(self._reach_in, hand)

    async def _reach_in(self, hand: Hand) -> None:
        await trio.sleep(hand.at_s)
        for slot in hand.slots:
            self._backend.unplug(self._ports[slot])
        if hand.away_s is not None:
            await trio.sleep(hand.away_s)
            for slot in hand.slots:
                self._plug(slot)

    async def _exchange(self, run: Running) -> None:
        """Whatever the slots are in; where the line does not know who came back, a person does."""
        for slot in self._modules:
            self._backend.unplug(self._ports[slot])
        try:
            await run.until(lambda: _all_in(run, LEFT), self._rest_s)
        except trio.TooSlowError:
            raise Broken(f"a module was taken out, and the line: {_states(run)}") from None
        self._modules.update({slot: self._bench.module() for slot in self._modules})
        self._plug_all()
        await self._rest(run)
        for slot in self._modules:
            if run[slot].state is SlotState.STANDING:
                await run.ask(Retry(slot=slot))

    def _plug_all(self) -> None:
        self._before = {slot: self._witness.look(slot) for slot in self._modules}
        for slot in self._modules:
            self._plug(slot)

    def _plug(self, slot: str) -> None:
        self._backend.plug(self._ports[slot], self._modules[slot])

    async def _rest(self, run: Running) -> None:
        """Until no slot has been at work for QUIET_S."""
        with trio.move_on_after(self._rest_s) as patience:
            while True:
                await run.until(lambda: _all_in(run, AT_REST), math.inf)
                with trio.move_on_after(QUIET_S):
                    await run.until(lambda: not _all_in(run, AT_REST), math.inf)
                    continue
                return
        hold(not patience.cancelled_caught, f"no rest: {_states(run)}")


def _all_in(run: Running, states: frozenset[SlotState]) -> bool:
    return all(place.state in states for place in run.line.places.values())


def _states(run: Running) -> str:
    return ", ".join(f"{name} {place.state.value}" for name, place in run.line.places.items())


def check_follows(chain: Sequence[AttemptRecord]) -> None:
    """What follows a failed attempt follows the one before it, which may pass; a module that was
    put in anew follows nobody."""
    for before, record in zip([None, *chain], chain, strict=False):
        if record.follows is None:
            continue
        closed = None if before is None else before.closed
        told = before is not None and before.opened.attempt_id
        hold(record.follows == told, f"{record.opened.slot}: follows {record.follows}")
        failure = closed.failure if closed and closed.outcome is Outcome.FAIL else None
        hold(failure and failure.retryable, f"tried again after {closed}")
