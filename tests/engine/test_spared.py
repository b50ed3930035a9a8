"""A hub that takes others along is found out by one cut, and not cut again in an engine's life."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio
import trio.testing

from station.engine.ports import PortBoard, SlotPort
from station.engine.spared import POWER_OFF_S, TURN_S, SparedHubs
from station.flash.ladder import Ladder
from station.flash.runner import StepRunner
from station.flash.session import Session
from station.live import SlotState as S
from station.model import AttemptRecord, DeviceInfo, Mode, Slot
from station.places import PortPath
from station.sim.backend import SimBackend
from station.transport.base import Leaving, Power, PowerProof, Switched, nobody
from tests.engine.line import running
from tests.engine.tray import make_line
from tests.mock_time import time_passes

pytestmark = pytest.mark.trio

VERDICTS = (S.DONE, S.AWAY, S.PULLED)
A1, A2, A3, B1 = (PortPath.parse(path) for path in ("1-3.1", "1-3.2", "1-3.3", "1-4.1"))
BESIDE = DeviceInfo(A2, 0x2C7C, 0x0125, (), 1)


TAKES_OTHERS = PowerProof(Switched.CUTS_OTHERS, f"what sits on {A2} left together with it", 0.1)
"""Of all its ports at once, whatever it says."""

LEAVES_OTHERS = PowerProof(Switched.SWITCHES, "", 0.1, 1.0, spares_others=True)
NOBODY_RETURNS = PowerProof(Switched.NO_RETURN, "nothing showed itself")
"""And nobody else is there to be seen."""

GIVEN_UP_S = 40.0


class Hub:
    """`proof`: what is seen of each cut, `takes_s` after the power is on again."""

    def __init__(self, proof: PowerProof = TAKES_OTHERS, takes_s: float = 0.0) -> None:
        self.asked: list[frozenset[PortPath]] = []
        self.asked_s: list[float] = []
        self.is_beside_leaving: list[bool] = []
        self._proof = proof
        self._takes_s = takes_s

    async def cycle(
        self,
        ports: Collection[PortPath],
        *,
        off_s: float,
        blind: bool = False,
        is_leaving: Leaving = nobody,
    ) -> PowerProof:
        self.asked.append(frozenset(ports))
        self.asked_s.append(trio.current_time())
        self.is_beside_leaving.append(is_leaving(BESIDE))
        await time_passes(off_s + self._takes_s)
        return self._proof


def a_hub_of_dead_modules() -> Hub:
    return Hub(NOBODY_RETURNS, GIVEN_UP_S)


def a_board() -> PortBoard:
    places = {"A1": A1, "A2": A2, "A3": A3, "B1": B1}
    return PortBoard(SimBackend(()), [Slot(name, frozenset({at})) for name, at in places.items()])


def refusal(record: AttemptRecord) -> str:
    (rung,) = [step for step in record.steps if step.name == "recover"]
    assert rung.detail["rung"] == "cycle the power"
    return str(rung.detail["failure"])


async def test_the_rung_is_refused_on_record_from_then_on(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2, faults={"A1": "no-return", "A2": "no-return"})
    power = bench.power = Hub()
    async with running(bench) as run:
        await run.arm(expect="none")
        for slot in ("A1", "A2"):
            run.plug(slot)
            await run.see(slot, *VERDICTS)
    assert len(power.asked) == 1
    assert "CUTS OTHERS" in refusal(bench.recorded(slot="A1")[0])
    second = refusal(bench.recorded(slot="A2")[0])
    for words in ("U111", "of slot A1 was cut", f"{A2} left", "slots power-test", "by itself"):
        assert words in second


async def at_once(spared: SparedHubs, power: Power, *slots: str) -> dict[str, Switched]:
    board, verdicts = a_board(), dict[str, Switched]()

    async def cycle(slot: str) -> None:
        verdicts[slot] = (await spared.cycle(power, board[slot])).verdict

    async with trio.open_nursery() as nursery:
        for slot in slots:
            nursery.start_soon(cycle, slot)
    return verdicts


async def test_slots_that_ask_together_find_out_by_one_cut(autojump_clock: object) -> None:
    power = Hub()
    verdicts = await at_once(SparedHubs(), power, "A1", "A2", "B1")
    assert len(power.asked) == 2, "one for each hub"
    assert sorted(verdict.value for verdict in verdicts.values()) == [
        "CUTS OTHERS",
        "CUTS OTHERS",
        "NOT SWITCHABLE",
    ]


async def test_a_hub_that_leaves_others_alone_keeps_nobody_waiting_twice(
    autojump_clock: object,
) -> None:
    power, spared = Hub(LEAVES_OTHERS), SparedHubs()
    began_s = trio.current_time()
    assert set((await at_once(spared, power, "A1", "A2")).values()) == {Switched.SWITCHES}
    assert trio.current_time() - began_s == pytest.approx(2 * POWER_OFF_S)
    began_s = trio.current_time()
    assert set((await at_once(spared, power, "A1", "A2")).values()) == {Switched.SWITCHES}
    assert trio.current_time() - began_s == pytest.approx(POWER_OFF_S)
    assert len(power.asked) == 4


async def test_dead_modules_keep_nobody_waiting_for_long(autojump_clock: object) -> None:
    power, began_s = a_hub_of_dead_modules(), trio.current_time()
    await at_once(SparedHubs(), power, "A1", "A2", "A3")
    waited_s = [asked_s - began_s for asked_s in power.asked_s]
    assert waited_s == [pytest.approx(0), pytest.approx(43), pytest.approx(TURN_S)]


async def test_waiting_for_the_hub_takes_no_time_from_the_hand(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2, faults={"A1": "unplug", "A2": "unplug"})
    bench.power = a_hub_of_dead_modules()
    async with running(bench) as run:
        await run.arm(expect="none")
        run.plug("A1")
        await time_passes(3)  # not together: that would be the hub's failure
        run.plug("A2")
        for slot in ("A1", "A2"):
            await run.see(slot, *VERDICTS)
    for slot, power_s in (("A1", 43), ("A2", 43 + 40)):
        rungs = [step for step in bench.recorded(slot=slot)[0].steps if step.name == "recover"]
        took = {str(step.detail["rung"]): step.duration_us / 1e6 for step in rungs}
        assert took["cycle the power"] == pytest.approx(power_s, abs=5)
        assert took["wait for it to be put back"] == pytest.approx(30, abs=5)


async def test_who_comes_into_the_slot_meanwhile_has_to_prove_who_it_is(
    autojump_clock: object,
) -> None:
    """What returns at once from a cut of its power is what was there before it: at the cut, not
    when that was asked for."""
    board, power, spared = a_board(), a_hub_of_dead_modules(), SparedHubs()
    for is_swapped in (False, True):
        session, module = Waiting(board["A2"]), replace(BESIDE, generation=10)
        session.trusted = module
        board["A2"].occupy(module)

        async def cycle(begins: Callable[[], None]) -> PowerProof:
            proof = await spared.cycle(power, board["A2"], begins)
            board["A2"].occupy(replace(BESIDE, generation=12))
            return replace(proof, verdict=Switched.SWITCHES, left_s=0.1, back_s=0.5)

        ladder = Ladder(cast("Session", session), cast("StepRunner", None), power=cycle)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spared.cycle, power, board["A1"])
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(ladder._cycle_power, cast("Session", session))
            await time_passes(10)
            if is_swapped:
                board["A2"].occupy(replace(BESIDE, generation=11))
        assert session.trusted.generation == (10 if is_swapped else 12)


class Waiting:
    """Of a session what a cycle of the power needs."""

    families = SimpleNamespace(mode_of=lambda _: Mode.EDL)

    def __init__(self, port: SlotPort) -> None:
        self.port = port
        self.trusted = BESIDE

    async def await_mode(self, *_: Mode, timeout_s: float) -> DeviceInfo:
        device = await self.port.wait(lambda found: found is not None, timeout_s)
        assert device is not None
        return device


async def test_another_hub_and_the_next_engine_are_asked(
    autojump_clock: object,
) -> None:
    board, power, spared = a_board(), Hub(), SparedHubs()
    verdicts = [(await spared.cycle(power, board[name])).verdict for name in ("A1", "A2", "B1")]
    assert verdicts == [Switched.CUTS_OTHERS, Switched.NOT_SWITCHABLE, Switched.CUTS_OTHERS]
    await SparedHubs().cycle(power, board["A2"])
    assert power.asked == [{A1}, {B1}, {A2}]


async def test_it_knows_which_neighbour_was_told_to_leave(
    autojump_clock: object,
) -> None:
    board, power = a_board(), Hub()
    for meant in (None, lambda _: False, lambda _: True):
        board["A2"].meant = meant
        await SparedHubs().cycle(power, board["A1"])
    assert power.is_beside_leaving == [False, False, True]
