"""Boots the guest, and in it measures and prints the table."""

import os
import statistics
import sys
import tempfile
from pathlib import Path

from station.transport.kernel import this_kernel
from station.transport.libusb import LibusbBackend, wheel_libusb
from tests.bench.usb.ends import cancel_ms, first_packet_ms
from tests.bench.usb.profiled import cpu_lines
from tests.bench.usb.runs import EC25, MB, Bench, ImageFile, Run
from tests.bench.usb.stranger import qdl
from tests.kernel.kernel import IN_GUEST, until
from tests.kernel.machine import REPOSITORY, Machine, Missing
from tests.kernel.rehearsal import rehearsal
from tests.programs import template

LIMIT_S = 900.0
EIGHT = [f"A{number}" for number in range(1, 9)]
WIDE = "A9"
PAYLOADS = {"8 KiB": (8192, "A1"), "1 MiB": (1 << 20, WIDE)}

SIZE_MB = 52
"""Most of what a release of an EC25 programs."""

ROUNDS = 4
"""Each column so often, by turns; the best one counts, of which the guest was least disturbed."""

Backends = dict[str, LibusbBackend]


def measure(size_mb: int) -> None:
    """In the guest: one tray, every column."""
    template()
    faults = [*(f"{slot}=arrives-in-edl" for slot in EIGHT), f"{WIDE}=wide-payload"]
    named = [word for fault in faults for word in ("--fault", fault)]
    block = EC25.block_size_bytes
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        options = ("--unlimited", "--tolerant", *named)
        with rehearsal(folder, len(faults), *options, speed=1) as tray:
            assert until(lambda: all(tray.device(slot) for slot in tray.slots), 60)
            backends = {
                "async": LibusbBackend(),
                "threads": LibusbBackend(wheel_libusb(), this_kernel()),
            }
            image = os.urandom(size_mb * MB // block * block)
            bench = Bench(tray, ImageFile(folder / "image", image))
            best = _transfers(bench, backends, folder)
            say("\nwhere the CPU goes, 8 KiB async")
            say("\n".join(cpu_lines(bench, backends["async"], best)) + "\n")
            for name, backend in backends.items():
                _ends(bench, name, backend)


def _transfers(bench: Bench, backends: Backends, folder: Path) -> Run:
    """The rows; the best asynchronous run at 8 KiB."""
    say(f"\n{'':<24}{'MB/s':>8}{'cpu ms/MB':>10}{'server':>12}")
    runs: dict[tuple[str, str], Run] = {}
    for payload, (payload_bytes, slot) in PAYLOADS.items():
        tried: dict[str, list[Run]] = {name: [] for name in backends}
        for name, backend in (*backends.items(),) * ROUNDS:
            tried[name].append(bench.flash(backend, payload_bytes, slot))
        for name, some in tried.items():
            runs[payload, name] = max(some, key=lambda run: run.rate)
            say(runs[payload, name].row(f"{payload} {name}"))
    say(qdl(bench, folder, EIGHT[0]).row("qdl") + "  in pieces of 512 bytes at either payload")
    fast, slow = runs["8 KiB", "async"], runs["8 KiB", "threads"]
    rate, cpu = fast.rate / slow.rate, fast.cpu_ms_per_mb / slow.cpu_ms_per_mb
    say(f"async / threads at 8 KiB: {rate:.2f} x MB/s (goal >= 3: {_met(rate >= 3)}), "
        f"{cpu:.2f} x cpu (goal <= 0.5: {_met(cpu <= 0.5)})")  # fmt: skip
    eight = bench.flash(backends["async"], 8192, *EIGHT)
    say(eight.row("8 KiB async, eight"))
    share = eight.rate / fast.rate
    say(f"eight at once / best of one: {share:.2f} (goal >= 0.9: {_met(share >= 0.9)})")
    return fast


def _ends(bench: Bench, name: str, backend: LibusbBackend) -> None:
    [one] = first_packet_ms(bench, backend, "A1")
    eight = first_packet_ms(bench, backend, *EIGHT)
    cancels = cancel_ms(bench, backend, "A1")
    say(
        f"{name:<8} first packet after {one:.0f} ms; of eight at once "
        f"{statistics.median(eight):.0f} ms (worst {max(eight):.0f}); cancelled in "
        f"{statistics.median(cancels):.0f} ms (worst {max(cancels):.0f}, "
        f"goal < 50: {_met(max(cancels) < 50)})"
    )


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command's answer


def main() -> int:
    size_mb = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE_MB
    if IN_GUEST:
        measure(size_mb)
        return 0
    with tempfile.TemporaryDirectory(prefix="station-bench-") as share:
        command = f"cd {REPOSITORY} && {sys.executable} -m tests.bench.usb {size_mb}"
        try:
            return Machine(Path(share)).run(command, limit_s=LIMIT_S)
        except Missing as missing:
            say(f"tests.bench.usb: {missing}")
            return 2


if __name__ == "__main__":
    sys.exit(main())
