"""Where the CPU of a transfer goes."""

import cProfile
import hashlib
import pstats
import time
from pathlib import Path

from station.transport.libusb import LibusbBackend
from tests.bench.usb.runs import MB, Bench, Run

_SHOWN = 5


def cpu_lines(bench: Bench, backend: LibusbBackend, best: Run) -> list[str]:
    """The best run's user and system time; what a run under the profiler spent most time in."""
    user, system = (1000 * spent_s / best.mb for spent_s in (best.user_s, best.system_s))
    profile = cProfile.Profile(time.thread_time)
    profile.runcall(bench.flash, backend, 8192, "A1")
    stats = pstats.Stats(profile).get_stats_profile()
    total_s = stats.total_tt
    own = sorted(stats.func_profiles.items(), key=lambda item: item[1].tottime, reverse=True)
    return [
        f"user {user:.0f} ms/MB, system {system:.0f} ms/MB, of it {_hash_ms_per_mb(bench):.0f} for "
        "the digest of what was sent, in every column but qdl's",
        f"profiled, {total_s:.1f} s in all:",
        *(
            f"{entry.tottime / total_s:6.1%}  {entry.ncalls:>8}  "
            f"{Path(entry.file_name).name}:{entry.line_number} {name}"
            for name, entry in own[:_SHOWN]
        ),
    ]


def _hash_ms_per_mb(bench: Bench) -> float:
    image = bench.image.pread(0, bench.image.length_bytes)
    began_s = time.thread_time()
    hashlib.sha256(image)
    return 1000 * (time.thread_time() - began_s) / (len(image) / MB)
