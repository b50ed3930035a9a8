"""Where the CPU of a transfer goes."""

import cProfile
import pstats
import time
from pathlib import Path

from station.transport.libusb import LibusbBackend
from tests.bench.usb.runs import Bench, Run

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
        f"user {user:.0f} ms/MB, system {system:.0f} ms/MB; profiled, {total_s:.1f} s in all:",
        *(
            f"{entry.tottime / total_s:6.1%}  {entry.ncalls:>8}  "
            f"{Path(entry.file_name).name}:{entry.line_number} {name}"
            for name, entry in own[:_SHOWN]
        ),
    ]
