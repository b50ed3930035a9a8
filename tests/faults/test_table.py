"""The table is the promise: what it says of a mishap is what comes of it, line by line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.bench import STEPS_STRUCK, Bench
from tests.faults.table import TABLE, mishaps, run_table, text_of


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("line"))
    yield made
    made.close()


@pytest.mark.parametrize("step", STEPS_STRUCK)
def test_each_mishap_ends_as_the_table_says(bench: Bench, step: str) -> None:
    found = text_of(run_table(bench, list(mishaps(step)))).splitlines()
    promised = Path(TABLE).read_text().splitlines()
    rows = [line for line in promised if f" at {step}" in line]
    assert found == [promised[0], *rows]


def test_the_table_has_a_line_for_each(bench: Bench) -> None:
    lines = Path(TABLE).read_text().splitlines()[1:]
    assert len(lines) == sum(len(list(mishaps(step))) for step in STEPS_STRUCK)
