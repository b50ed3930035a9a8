"""A hub that takes others along is found out by one cut, and not cut again in an engine's life."""

from collections.abc import Collection
from pathlib import Path

import pytest
import trio

from station.engine.ports import PortBoard
from station.engine.spared import SparedHubs
from station.live import SlotState as S
from station.model import AttemptRecord, DeviceInfo, Slot
from station.places import PortPath
from station.sim.backend import SimBackend
from station.transport.base import Leaving, PowerProof, Switched, nobody
from tests.engine.line import running
from tests.engine.tray import make_line

pytestmark = pytest.mark.trio

VERDICTS = (S.DONE, S.AWAY, S.PULLED)
A1, A2, B1 = (PortPath.parse(path) for path in ("1-3.1", "1-3.2", "1-4.1"))
BESIDE = DeviceInfo(A2, 0x2C7C, 0x0125, (), 1)


class Ganged:
    """It takes all its ports' power at once, whatever it says."""

    def __init__(self) -> None:
        self.asked: list[frozenset[PortPath]] = []
        self.is_beside_leaving: list[bool] = []

    async def cycle(
        self,
        ports: Collection[PortPath],
        *,
        off_s: float,
        blind: bool = False,
        is_leaving: Leaving = nobody,
    ) -> PowerProof:
        await trio.lowlevel.checkpoint()
        self.asked.append(frozenset(ports))
        self.is_beside_leaving.append(is_leaving(BESIDE))
        return PowerProof(Switched.CUTS_OTHERS, f"what sits on {A2} left together with it", 0.1)


def a_board() -> PortBoard:
    places = {"A1": A1, "A2": A2, "B1": B1}
    return PortBoard(SimBackend(()), [Slot(name, frozenset({at})) for name, at in places.items()])


def refusal(record: AttemptRecord) -> str:
    (rung,) = [step for step in record.steps if step.name == "recover"]
    assert rung.detail["rung"] == "cycle the power"
    return str(rung.detail["failure"])


async def test_the_rung_is_refused_on_record_from_then_on(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2, faults={"A1": "no-return", "A2": "no-return"})
    power = bench.power = Ganged()
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


async def test_another_hub_and_the_next_engine_are_asked(
    autojump_clock: object,
) -> None:
    board, power, spared = a_board(), Ganged(), SparedHubs()
    verdicts = [(await spared.cycle(power, board[name])).verdict for name in ("A1", "A2", "B1")]
    assert verdicts == [Switched.CUTS_OTHERS, Switched.NOT_SWITCHABLE, Switched.CUTS_OTHERS]
    await SparedHubs().cycle(power, board["A2"])
    assert power.asked == [{A1}, {B1}, {A2}]


async def test_it_knows_which_neighbour_was_told_to_leave(
    autojump_clock: object,
) -> None:
    board, power = a_board(), Ganged()
    for meant in (None, lambda _: False, lambda _: True):
        board["A2"].meant = meant
        await SparedHubs().cycle(power, board["A1"])
    assert power.is_beside_leaving == [False, False, True]
