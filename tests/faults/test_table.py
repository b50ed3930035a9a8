"""The table is the promise: what it says of a mishap is what comes of it, line by line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.bench import Bench
from tests.faults.odd import ODD
from tests.faults.table import (
    NO_POWER,
    OF_FAULTS,
    STEPS_IN_TABLE,
    TABLE,
    WITHOUT,
    backup_for,
    by_name,
    mishaps,
    need_power,
    promised,
    run_faults,
    run_table,
    text_of,
)

BenchFor = Callable[[str], Bench]


@pytest.fixture(scope="module")
def bench_for(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchFor]:
    yield from _benches(tmp_path_factory, has_power=True)


@pytest.fixture(scope="module")
def powerless_for(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchFor]:
    yield from _benches(tmp_path_factory, has_power=False)


def _benches(folders: pytest.TempPathFactory, *, has_power: bool) -> Iterator[BenchFor]:
    """By step; one is made for each backup that is asked for."""
    made: dict[tuple[str, ...], Bench] = {}

    def bench_for(step: str) -> Bench:
        backup = backup_for(step)
        if backup not in made:
            made[backup] = Bench(folders.mktemp("line"), has_power=has_power, backup=backup)
        return made[backup]

    yield bench_for
    for bench in made.values():
        bench.close()


@pytest.mark.parametrize("step", STEPS_IN_TABLE)
def test_each_mishap_ends_as_the_table_says(bench_for: BenchFor, step: str) -> None:
    found = text_of(run_table(bench_for(step), list(mishaps(step)))).splitlines()
    assert found[1:] == _at(step, TABLE)


@pytest.mark.parametrize("step", STEPS_IN_TABLE)
def test_each_ends_as_the_table_says_where_no_power_can_be_switched(
    powerless_for: BenchFor, step: str
) -> None:
    found = text_of(run_table(powerless_for(step), need_power(step))).splitlines()
    assert found[1:] == _at(step, NO_POWER)


@pytest.mark.parametrize("has_power", [True, False])
def test_each_fault_ends_as_the_table_says(
    bench_for: BenchFor, powerless_for: BenchFor, has_power: bool
) -> None:
    bench = (bench_for if has_power else powerless_for)("erase")
    found = text_of(by_name(run_faults(bench))).splitlines()
    assert found[1:] == [line for line in promised(OF_FAULTS) if (WITHOUT in line) != has_power]


def _at(step: str, table: Path) -> list[str]:
    return [line for line in promised(table) if f" at {step}" in line]


def test_the_readme_counts_them() -> None:
    readme = Path(__file__).parents[2] / "README.md"
    assert f"lists {len(promised())} mishaps" in readme.read_text()


def test_the_tables_have_a_line_for_each() -> None:
    assert len(promised()) == sum(len(list(mishaps(step))) for step in STEPS_IN_TABLE)
    assert len(promised(NO_POWER)) == sum(len(need_power(step)) for step in STEPS_IN_TABLE)
    in_edl = [odd for odd in ODD.values() if odd.starts_in_edl]
    assert len(promised(OF_FAULTS)) == 2 * (len(ODD) + len(in_edl))
