"""The table is the promise: what it says of a mishap is what comes of it, line by line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.bench import STEPS_STRUCK, Bench
from tests.faults.table import (
    NO_POWER,
    TABLE,
    mishaps,
    need_power,
    promised,
    run_table,
    text_of,
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("line"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def powerless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("line"), has_power=False)
    yield made
    made.close()


@pytest.mark.parametrize("step", STEPS_STRUCK)
def test_each_mishap_ends_as_the_table_says(bench: Bench, step: str) -> None:
    found = text_of(run_table(bench, list(mishaps(step)))).splitlines()
    assert found[1:] == _at(step, TABLE)


@pytest.mark.parametrize("step", STEPS_STRUCK)
def test_each_ends_as_the_table_says_where_no_power_can_be_switched(
    powerless: Bench, step: str
) -> None:
    found = text_of(run_table(powerless, need_power(step))).splitlines()
    assert found[1:] == _at(step, NO_POWER)


def _at(step: str, table: Path) -> list[str]:
    return [line for line in promised(table) if f" at {step}" in line]


def test_the_tables_have_a_line_for_each(bench: Bench) -> None:
    assert len(promised()) == sum(len(list(mishaps(step))) for step in STEPS_STRUCK)
    assert len(promised(NO_POWER)) == sum(len(need_power(step)) for step in STEPS_STRUCK)
