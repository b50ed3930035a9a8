"""The read-back on modules with bad blocks and with bad bytes."""

from pathlib import Path

import pytest

from station.model import Outcome
from station.store.recall import ever, recall
from tests.engine.tray import by_slot, code_of, make_line, no_breaches, step_named


@pytest.mark.trio
@pytest.mark.parametrize("fault", ["bad-blocks", "bad-blocks-raw"])
async def test_skipped_bad_blocks_pass(tmp_path: Path, tray_clock: object, fault: str) -> None:
    line = make_line(tmp_path, faults={"A1": fault})
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert record.closed.outcome is Outcome.PASS, record.closed.failure
    seen = step_named(record, "verify").detail
    assert bool(seen) is (fault == "bad-blocks-raw"), seen


@pytest.mark.trio
async def test_one_wrong_byte_in_the_flash_fails(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path, faults={"A1": "corrupt-write"})
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "D210"


@pytest.mark.trio
async def test_verify_by_version_reads_nothing_back(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path)
    line.edit_recipe(verify="version")
    record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert (record.closed.outcome, record.closed.verify.value) == (Outcome.PASS, "version")
    assert step_named(record, "verify").bytes == 0


@pytest.mark.trio
async def test_who_had_the_version_already_stays_on_the_recall_list_of_its_package(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    first = by_slot(await line.flash())["A1"]
    second = by_slot(await line.flash())["A1"]
    assert second.closed is not None
    assert (second.closed.outcome, second.opened.package) == (Outcome.NO_CHANGE, None)
    assert first.opened.package is not None
    for package in (first.opened.package.name, first.opened.package.sha256):
        for ask in (recall, ever):
            (found,) = ask(line.settings().database, package=package)
            assert (found.attempt_id, found.is_latest) == (first.opened.attempt_id, True)
