"""How soon a module that arrives is spoken to, and how soon a cancelled span has ended."""

import os
import re
import time

import trio

from station.protocols import sahara
from station.transport.libusb import LibusbBackend
from tests.bench.usb.runs import Bench, run

_FOUND = re.compile(r"usb (\S+): New USB device found")
_PIECE_BYTES = 8192


def first_packet_ms(bench: Bench, backend: LibusbBackend, *slots: str) -> list[float]:
    """From the kernel's word that each module is there to the first packet to it."""
    spoken: dict[str, float] = {}

    async def greet(slot: str, before: int | None) -> None:
        while bench.enumeration(slot) in (None, before):
            await backend.wait_change(1.0)
        pipe = await bench.open(backend, slot)
        hello = await run(sahara.greet(timeout_s=1.0), pipe)
        assert isinstance(hello, sahara.Hello)
        spoken[slot] = time.monotonic()
        await pipe.aclose()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for slot in slots:
                nursery.start_soon(greet, slot, bench.enumeration(slot))
            for slot in slots:
                await trio.to_thread.run_sync(bench.power_cycle, slot)

    begin_s = time.monotonic()
    trio.run(main)
    found = _found_since(begin_s)
    return [1000 * (spoken[slot] - found[bench.tray.ports(slot)[0]]) for slot in slots]


def _found_since(begin_s: float) -> dict[str, float]:
    """When the kernel found the device at each port, by this process's clock.

    The kernel's log has a clock of its own: a line of ours shows how far it is off.
    """
    descriptor = os.open("/dev/kmsg", os.O_RDWR | os.O_NONBLOCK)
    mark = f"bench {os.getpid()} {begin_s}\n"
    now_s = time.monotonic()
    os.write(descriptor, mark.encode())
    lines: list[tuple[float, str]] = []
    try:
        while True:
            try:
                told = os.read(descriptor, _PIECE_BYTES)
            except BrokenPipeError:  # the oldest lines were overwritten meanwhile
                continue
            head, _, text = told.decode().partition(";")
            lines.append((int(head.split(",")[2]) / 1e6, text))
    except BlockingIOError:
        os.close(descriptor)
    off_s = next(now_s - at_s for at_s, text in lines if mark in text)
    return {
        found[1]: at_s + off_s
        for at_s, text in lines
        if (found := _FOUND.match(text)) and at_s + off_s >= begin_s
    }


def cancel_ms(bench: Bench, backend: LibusbBackend, slot: str, times: int = 10) -> list[float]:
    """From asking a span of 8 KiB chunks to end until it has."""
    took: list[float] = []

    async def main() -> None:
        pipe = await bench.open(backend, slot)
        firehose = await bench.ready(pipe, 8192)
        with trio.move_on_after(0.3) as scope:
            await bench.program(firehose, pipe)
        assert scope.cancelled_caught, "the image was through before it could be cancelled"
        took.append(1000 * (trio.current_time() - scope.deadline))
        await pipe.aclose()

    for _ in range(times):
        bench.cycle(slot)
        trio.run(main)
    return took
