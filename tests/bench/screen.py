"""What a screen costs: its own CPU, and what it takes from the slots.

    python -m tests.bench.screen [--seconds 10] [--rounds 2] [--megabytes 24]

The screen is `station dash` in a process of its own, on a terminal of 160 by 48 whose output is
read and thrown away.

CPU of a screen: the real feed and socket with synthetic attempts; the view of every slot changes
ten times a second. Goal: at most 10 % of a core at 32 slots.

cpu        user and system time of the screen's process over the measured time, start-up left out
messages   lines that the engine sent to it, a second
redraws    frames that it drew on its terminal, a second
written    what it wrote to its terminal

Effect on the slots: a real engine over eight simulated modules flashes one tray after another on
the real clock; without a screen, with one, and with a peer that asks for everything and reads
nothing. Goal: at most 3 % slower.

tray       from the first attempt's begin to the last verdict
engine     CPU time of the engine's process for that tray, simulated modules included
"""

import argparse
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Any

import trio

from station.commands.call import Call, call
from station.commands.demo_files import write_demo_files
from station.config import Settings, load_settings
from station.engine.feed import Feed, Subscription
from station.engine.server import Peer, serve_socket
from station.live import LineState, LineView, RecipeView, SlotState, SlotView, StepView
from station.model import StepOutcome
from station.wire import PROTOCOL, Command, Hands, Hello, Status, Watch, command_line
from tests.bench.terminal import Screen, cpu_s, screen
from tests.commands.running import engine

HZ = 10
TOTAL_BYTES = 60_000_000
WARM_UP_S = 3.0
PATIENCE_S = 300.0


# --- CPU of a screen --------------------------------------------------------------------------


class CountingFeed(Feed):
    """A feed that knows how much it has told."""

    def __init__(self, slots: list[SlotView], line: LineView) -> None:
        super().__init__(slots, line, now)
        self._readers: list[Subscription] = []

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        with super().subscribe() as reader:
            self._readers.append(reader)
            yield reader

    @property
    def told(self) -> int:
        """Messages so far, to all readers."""
        return sum(reader._seq for reader in self._readers)


@dataclass(frozen=True, slots=True)
class NoDesk:
    async def carry_out(self, command: Command, peer: Peer) -> dict[str, Any]:
        return {}


@dataclass(slots=True)
class Figures:
    """What is measured between two looks."""

    shown: Screen
    feed: CountingFeed
    _began: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._began = self._look()

    def _look(self) -> tuple[float, ...]:
        shown = self.shown
        return (
            time.monotonic(), shown.cpu_s, self.feed.told, shown.frames, shown.written_bytes
        )  # fmt: skip

    def row(self) -> str:
        spent = [after - before for after, before in zip(self._look(), self._began, strict=True)]
        wall_s, cpu, told, frames, written = spent
        return (
            f"{len(self.feed.slots):5} {100 * cpu / wall_s:9.1f} % {told / wall_s:12.0f} "
            f"{frames / wall_s:11.1f} {written / wall_s / 1000:13.1f}"
        )


def now() -> int:
    return time.time_ns() // 1000


def working(slot: str, number: int) -> SlotView:
    """A slot in the middle of an attempt that began some time ago."""
    past = ("identify", "select", "preflight", "enter_edl", "load_programmer", "erase")
    return SlotView(
        slot,
        SlotState.FLASHING,
        since_utc_us=now() - 20_000_000,
        port_path=f"1-1.{number}",
        usb_id="05c6:9008",
        imei=f"8676980412{number:05}",
        chip_serial=f"{number:08x}",
        model="EC25",
        sku="EC25EFA-512-STD",
        firmware="EC25EFAR06A06M4G_01.001.01.001",
        recipe="ec25-demo",
        version="EC25EFAR06A08M4G_01.002.01.002",
        attempt_id=f"0197f0a0-0000-7000-8000-{number:012x}",
        began_utc_us=now() - 30_000_000,
        step="program",
        total_bytes=TOTAL_BYTES,
        bytes_per_s=4_000_000,
        steps=(
            *(StepView(step, StepOutcome.OK, 1_234_567, "as planned") for step in past),
            StepView("program"),
        ),
    )


async def work(feed: Feed, view: SlotView, number: int) -> None:
    """The view changes `HZ` times a second; the slots are not in step with each other."""
    due_s = trio.current_time() + number * 0.0137 % (1 / HZ)
    done_bytes = number * TOTAL_BYTES // 64
    while True:
        await trio.sleep_until(due_s)
        due_s += 1 / HZ
        done_bytes = (done_bytes + 4_000_000 // HZ) % TOTAL_BYTES
        rate = 4_000_000 + int(due_s) * 77_777 % 300_000
        feed.show_slot(replace(view, done_bytes=done_bytes, bytes_per_s=rate))


async def measure_cpu(settings: Settings, seconds: float) -> str:
    """A screen beside this process, which is its engine; the figures as a row."""
    views = [working(slot.name, n) for n, slot in enumerate(settings.slots, start=1)]
    recipe = RecipeView("ec25-demo", 1, "0" * 64, ("EC25EFA*",), views[0].version or "", "demo")
    line = LineView(LineState.ARMED, "bench", (recipe,), target=500, expected=len(views))
    feed = CountingFeed(views, line)
    hello = Hello(PROTOCOL, "bench", "desk", "0", "bench", settings.rows, hands=False)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_socket, settings.socket, hello, NoDesk(), feed)
        for number, view in enumerate(views):
            nursery.start_soon(work, feed, view, number)
        with screen(settings.path) as shown:
            await trio.to_thread.run_sync(shown.until_drawn)
            await trio.sleep(WARM_UP_S)
            figures = Figures(shown, feed)
            await trio.sleep(seconds)
            row = figures.row()
        nursery.cancel_scope.cancel()
    return row


# --- effect on the slots ----------------------------------------------------------------------


def slots_of(caller: Call) -> list[dict[str, Any]]:
    slots: list[dict[str, Any]] = caller.ask(Status())["slots"]
    return slots


def fresh_tray(caller: Call) -> float:
    """Change the tray and wait for its verdicts: seconds from first begin to last end."""
    before = {slot["attempt_id"] for slot in slots_of(caller)}
    caller.ask(Hands(action="tray"))
    return verdicts(caller, before)


def verdicts(caller: Call, before: set[str | None]) -> float:
    """Wait for a verdict in each slot on an attempt that was not there before."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        slots = slots_of(caller)
        if all(slot["outcome"] and slot["attempt_id"] not in before for slot in slots):
            assert {slot["outcome"] for slot in slots} == {"PASS"}, slots
            ended = max(slot["ended_utc_us"] for slot in slots)
            return float(ended - min(slot["began_utc_us"] for slot in slots)) / 1e6
        time.sleep(1)  # a look a second: the engine that is measured answers each
    raise AssertionError(f"no verdict in each slot after {PATIENCE_S:.0f} s")


@contextmanager
def attached(config: Path) -> Iterator[None]:
    with screen(config) as shown:
        shown.until_drawn()
        yield


@contextmanager
def deaf(path: Path) -> Iterator[None]:
    """A peer that asks for everything and reads nothing."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        line.sendall(command_line(Watch()))
        yield


def measure_effect(config: Path, rounds: int) -> Iterator[str]:
    """Trays one after another, the ways of looking in turn; the figures as rows."""
    path = load_settings(config).socket
    ways: dict[str, list[tuple[float, float]]] = {"nobody": [], "a screen": [], "a deaf peer": []}
    with engine(config, deadline_s=PATIENCE_S * (3 * rounds + 1)) as serving, call(path) as caller:
        serving.arm()
        verdicts(caller, {None})
        for _ in range(rounds):
            for way, found in ways.items():
                with looking(way, config, path):
                    before_s = cpu_s(serving.process.pid)
                    tray_s = fresh_tray(caller)
                    found.append((tray_s, cpu_s(serving.process.pid) - before_s))
    alone_s = mean(tray_s for tray_s, _ in ways["nobody"])
    for way, found in ways.items():
        tray_s = mean(tray_s for tray_s, _ in found)
        engine_s = mean(spent_s for _, spent_s in found)
        each = "  ".join(f"{tray_s:.2f}" for tray_s, _ in found)
        slower = 100 * (tray_s / alone_s - 1)
        yield f"{way:12} {tray_s:8.2f} {engine_s:9.2f} {slower:+10.1f} %   ({each})"


def looking(way: str, config: Path, path: Path) -> AbstractContextManager[None]:
    match way:
        case "a screen":
            return attached(config)
        case "a deaf peer":
            return deaf(path)
        case _:
            return nullcontext()


# --- all of it --------------------------------------------------------------------------------


def main() -> None:
    options = argparse.ArgumentParser(description="What a screen costs.")
    options.add_argument("--seconds", type=float, default=10.0, help="measured, per count of slots")
    options.add_argument("--slots", type=int, nargs="*", default=[8, 32, 64])
    options.add_argument("--rounds", type=int, default=2, help="trays for each way of looking")
    options.add_argument("--megabytes", type=int, default=24, help="of each module's images")
    wanted = options.parse_args()

    say("slots   cpu/core   messages/s   redraws/s   written_kB/s")
    for slots in wanted.slots:
        with line_of(slots, megabytes=1) as config:
            say(trio.run(measure_cpu, load_settings(config), wanted.seconds))
    say("goal: at most 10 % of a core at 32 slots\n")
    if wanted.rounds < 1:
        return
    say("watched by    tray_s  engine_s      slower   (each tray)")
    with line_of(8, wanted.megabytes) as config:
        for row in measure_effect(config, wanted.rounds):
            say(row)
    say("goal: at most 3 % slower")


@contextmanager
def line_of(slots: int, megabytes: int) -> Iterator[Path]:
    """The settings of a line with so many slots."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"A{number}" for number in range(1, slots + 1)]
        yield write_demo_files(Path(folder), names, megabytes)


def say(row: str) -> None:
    print(row, flush=True)  # noqa: T201 - a bench prints


if __name__ == "__main__":
    main()
