"""What was measured, and whether it is as good as it should be."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figure:
    """`goal`: at most; with `is_rate` at least. `cpu`: what it would be with a core of one's own,
    the disk not counted; None if that cannot be told."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    cpu: float | None = None
    is_rate: bool = False
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        return None if self.goal is None else self._meets(self.value, self.goal)

    def _meets(self, value: float, goal: float) -> bool:
        return value >= goal if self.is_rate else value <= goal

    @property
    def judged(self) -> str:
        if self.goal is None:
            return ""
        if self._meets(self.value, self.goal):
            return "met"
        by_cpu = self.cpu is not None and self._meets(self.cpu, self.goal)
        return "MISSED, not by own cpu" if by_cpu else "MISSED"

    def row(self) -> str:
        cpu = "" if self.cpu is None else f"{self.cpu:,.3f}"
        goal = "" if self.goal is None else f"{'>=' if self.is_rate else '<='} {self.goal:,.0f}"
        return (
            f"{self.what:32} {self.value:14,.3f} {cpu:>14} {self.unit:8} {goal:>10} {self.judged} "
            f"{self.note}"
        ).rstrip()

    def told(self) -> dict[str, Any]:
        return asdict(self) | {"is_met": self.is_met, "judged": self.judged}


HEAD = f"{'':32} {'wall':>14} {'own cpu':>14} {'':8} {'goal':>10}"


@dataclass(frozen=True, slots=True)
class Spent:
    wall_s: float
    cpu_s: float


class Watch:
    """Of the time since it was made; CPU of this process, all its threads."""

    def __init__(self) -> None:
        self._began = self._look()

    @property
    def spent(self) -> Spent:
        wall_s, cpu_s = self._look()
        return Spent(wall_s - self._began[0], cpu_s - self._began[1])

    @staticmethod
    def _look() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


def timed(work: Callable[[], T]) -> tuple[T, Spent]:
    watch = Watch()
    return work(), watch.spent


def percentile(values: Iterable[float], percent: int) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) * percent // 100, len(ranked) - 1)]


def percentiles(what: str, spent: list[Spent], goal_ms: float | None = None) -> Iterator[Figure]:
    """Half of them, and 99 of 100, in milliseconds; the goal is for the latter."""
    for percent, goal in ((50, None), (99, goal_ms)):
        wall_ms = percentile((one.wall_s * 1000 for one in spent), percent)
        cpu_ms = percentile((one.cpu_s * 1000 for one in spent), percent)
        yield Figure(f"{what} p{percent}", wall_ms, "ms", goal, cpu_ms)
