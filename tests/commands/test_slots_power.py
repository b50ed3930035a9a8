"""`station slots power-test`: what it says of slots and hubs, and how it ends."""

import json
import signal
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from station.commands.exits import Exit
from station.commands.slots_power import Asked, power_test
from station.config import Settings, load_settings
from station.engine.lock import own
from station.errors import EngineRunning, Timeout, UsageError
from station.places import PortPath
from station.sim.backend import SimBackend
from station.sim.tray import make_tray
from station.transport.base import Leaving, PowerProof, Switched, nobody
from tests.commands.running import files

SWITCHES = PowerProof(Switched.SWITCHES, "", 0.1, 14.0)


class Powers:
    """Answers by slot; a slot without an answer fails."""

    def __init__(self, settings: Settings, answers: Mapping[str, PowerProof]) -> None:
        self._slots = {slot.ports: slot.name for slot in settings.slots}
        self._answers = answers
        self.asked: list[str] = []
        self.is_on = True

    async def cycle(
        self,
        ports: Collection[PortPath],
        *,
        off_s: float,
        blind: bool = False,
        is_leaving: Leaving = nobody,
    ) -> PowerProof:
        name = self._slots[frozenset(ports)]
        self.asked.append(name)
        self.is_on = False
        try:
            await trio.sleep(off_s)  # until a signal ends it
        finally:
            self.is_on = True
        if name not in self._answers:
            raise Timeout("ask hub 1-1: nothing came")
        return self._answers[name]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """On ports of its own: two tests at once must not hold the same."""
    read = load_settings(files(tmp_path / "line", 3))
    slots = (
        replace(slot, ports=frozenset(replace(port, bus=port.bus + 90) for port in slot.ports))
        for slot in read.slots
    )
    return replace(read, slots=tuple(slots))


def outcome(
    settings: Settings,
    answers: Mapping[str, PowerProof],
    *names: str,
    as_json: bool = True,
    plugged: bool = False,
) -> Exit:
    tray = make_tray(settings.slots, size_mb=1)
    backend = SimBackend(tuple(tray.ports.values()))
    if plugged:
        tray.plug(float("-inf"))
    powers = Powers(settings, answers)
    return power_test(
        settings, Asked(names, 3.0, as_json), backend, powers, clock=MockClock(autojump_threshold=0)
    )


def test_all_switch(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(settings, dict.fromkeys(("A1", "A2", "A3"), SWITCHES)) is Exit.GOOD
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["slot"] for line in lines] == ["A1", "A2", "A3"]
    port = str(min(settings.slots[0].ports))
    assert lines[0] == {
        "slot": "A1",
        "ports": [str(path) for path in sorted(settings.slots[0].ports)],
        "hub": port.rpartition(".")[0] or f"usb{port.partition('-')[0]}",
        "verdict": "SWITCHES",
        "why": None,
        "left_s": 0.1,
        "back_s": 14.0,
    }


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Switched.PRETENDS, Exit.VERDICT),
        (Switched.CUTS_OTHERS, Exit.VERDICT),
        (Switched.NOT_SWITCHABLE, Exit.VERDICT),
        (Switched.EMPTY, Exit.VERDICT),
        (Switched.NO_RETURN, Exit.VERDICT),
        (Switched.NO_ACCESS, Exit.STATION),
    ],
)
def test_one_that_does_not(
    settings: Settings, verdict: Switched, code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"A1": SWITCHES, "A2": PowerProof(verdict, "because"), "A3": SWITCHES}
    assert outcome(settings, answers, as_json=False) is code
    out = capsys.readouterr().out
    assert verdict.value in out
    assert "because" in out
    assert "14.00 s" in out
    said = " ".join(out.split())
    assert ("says that it cuts the power and does not" in said) is (verdict is Switched.PRETENDS)
    assert ("takes the power of other slots" in said) is (verdict is Switched.CUTS_OTHERS)


def test_a_hub_of_which_nothing_was_seen_is_told_with_what_to_do(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = dict.fromkeys(("A1", "A2", "A3"), PowerProof(Switched.EMPTY, "nothing is plugged in"))
    assert outcome(settings, empty, as_json=False) is Exit.VERDICT
    assert "was not tried: plug a module into one of its slots" in capsys.readouterr().out
    assert outcome(settings, {}, as_json=False) is Exit.STATION
    assert "could not be tried: mend the reasons above" in capsys.readouterr().out


def test_a_hub_that_fails_does_not_end_the_test(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(settings, {"A1": SWITCHES, "A3": SWITCHES}) is Exit.STATION
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["verdict"] for line in lines] == ["SWITCHES", "SILENT", "SWITCHES"]


def test_a_running_module_that_is_back_at_once_never_lost_its_power(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its hub cuts the data lines. Of anything but a module nobody knows how long it boots."""
    quick = {"A1": PowerProof(Switched.SWITCHES, "", 0.1, 0.4)}
    assert outcome(settings, quick, "A1", plugged=True) is Exit.VERDICT
    assert json.loads(capsys.readouterr().out)["verdict"] == "PRETENDS"
    assert outcome(settings, quick, "A1") is Exit.GOOD


def test_never_while_an_engine_has_any_slot(settings: Settings) -> None:
    """A hub that lies about its switches would take the neighbours along."""
    with own(None, settings.slots[1].ports), pytest.raises(EngineRunning):
        outcome(settings, {"A1": SWITCHES}, "A1")
    assert outcome(settings, {"A1": SWITCHES}, "A1") is Exit.GOOD


@pytest.mark.parametrize(
    "asked", [Asked(("Z9",)), Asked((), 0.0), Asked((), 61.0), Asked((), float("nan"))]
)
def test_what_cannot_be_asked(settings: Settings, asked: Asked) -> None:
    with pytest.raises(UsageError):
        power_test(settings, asked, SimBackend(()), Powers(settings, {}))


def test_told_to_end_it_leaves_the_power_on(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(Powers):
        async def cycle(
            self,
            ports: Collection[PortPath],
            *,
            off_s: float,
            blind: bool = False,
            is_leaving: Leaving = nobody,
        ) -> PowerProof:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            return await super().cycle(ports, off_s=3600)

    powers = Interrupted(settings, {})
    assert power_test(settings, Asked(), SimBackend(()), powers) is Exit.VERDICT
    assert powers.is_on
    assert powers.asked == ["A1"]
    assert "the port of A1 is on again" in capsys.readouterr().err


def test_told_to_end_it_says_so_when_the_power_could_not_be_given_back(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    class Dark(Powers):
        async def cycle(
            self,
            ports: Collection[PortPath],
            *,
            off_s: float,
            blind: bool = False,
            is_leaving: Leaving = nobody,
        ) -> PowerProof:
            signal.raise_signal(signal.SIGINT)
            try:
                await trio.sleep_forever()
            finally:
                raise Timeout("ask hub 1-1: nothing came; port 1-1.1 may be without power")

    assert power_test(settings, Asked(), SimBackend(()), Dark(settings, {})) is Exit.VERDICT
    said = capsys.readouterr().err
    assert "port 1-1.1 may be without power" in said
    assert "on again" not in said
