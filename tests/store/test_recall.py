"""Which units have a package or version, which ever had it: on known data, by every spelling."""

from collections.abc import Callable, Iterator

import pytest

from station.model import Outcome, PackageRef
from station.store import recall as asked
from station.store.export import exporting
from station.store.recall import Flashed, ever, recall
from station.store.scope import of_package, packages_called
from tests.store.made import NEW, OLD, imei, line
from tests.store.samples import AFTER, NOON_US, attempt, flashed, plan, rows, verdict

PASS, FAIL = Outcome.PASS, Outcome.FAIL
Ask = Callable[..., Iterator[Flashed]]


@pytest.fixture
def line_1(url: str) -> str:
    """Units 1 to 6: moved on from old to new; old only; new only; back to old; failed at new;
    found to have old already, as unit 2 later."""
    with line(url) as made:
        made.tried(1, PASS, package=OLD, lot="PO-1")
        made.tried(2, PASS, package=OLD)
        made.tried(3, FAIL, package=NEW)
        made.tried(3, PASS, package=NEW)
        made.tried(4, PASS, package=OLD)
        made.tried(4, PASS, package=NEW)
        made.tried(4, PASS, package=OLD)
        made.tried(1, PASS, package=NEW, slot="A7", operator="maria")
        made.tried(5, PASS, package=OLD)
        made.tried(5, FAIL, package=NEW)
        made.tried(5, None, package=NEW)
        made.tried(6, Outcome.NO_CHANGE, package=None, firmware="R05", purpose="golden")
        made.tried(2, Outcome.NO_CHANGE, package=None, firmware="R05")
    return url


def units(found: Iterator[Flashed]) -> list[int]:
    return sorted(int((one.imei or "")[-4:]) for one in found)


def latest(found: Iterator[Flashed]) -> dict[int, bool]:
    return {int((one.imei or "")[-4:]): one.is_latest for one in found}


@pytest.mark.parametrize("wanted", [OLD.name, OLD.sha256, OLD.sha256[:8]])
def test_recall_by_package(line_1: str, wanted: str) -> None:
    """A look that finds the version takes no package away, and tells of none."""
    assert units(recall(line_1, package=wanted)) == [2, 4, 5]


@pytest.mark.parametrize(
    "wanted", [{"package": OLD.name}, {"package": "6" * 8}, {"firmware": "R0*"}, {"firmware": "R9"}]
)
def test_what_is_exported_of_a_recall(line_1: str, wanted: dict[str, str]) -> None:
    with exporting(line_1, recall=True, **wanted) as found:
        exported = [record.opened.attempt_id for record in found.attempts]
    assert exported == sorted(one.attempt_id for one in recall(line_1, **wanted))


def test_what_is_exported_of_a_recall_within_a_lot(line_1: str) -> None:
    with exporting(line_1, recall=True, package=OLD.name, lot="PO-1") as found:
        assert list(found.attempts) == [], "unit 1 moved on"
    with exporting(line_1, recall=True, package=NEW.name, operator="maria") as found:
        (one,) = found.attempts
    assert one.opened.slot == "A7"


@pytest.mark.parametrize("wanted", ["R06", "R06*", "6" * 8])
def test_recall_by_version_or_digits(line_1: str, wanted: str) -> None:
    kind = "package" if wanted.isdigit() else "firmware"
    assert units(recall(line_1, **{kind: wanted})) == [1, 3]


def test_recall_by_all_versions_that_begin_so(line_1: str) -> None:
    assert units(recall(line_1, firmware="R0*")) == [1, 2, 3, 4, 5, 6]
    assert units(recall(line_1, firmware="*")) == [1, 2, 3, 4, 5, 6]


def test_recall_by_both(line_1: str) -> None:
    assert units(recall(line_1, package="R05", firmware="R05")) == [2, 4, 5]
    assert units(recall(line_1, package="R05", firmware="R06*")) == []


def test_ever_tells_each_unit_once_and_whether_it_still_has_it(line_1: str) -> None:
    old = {1: False, 2: True, 4: True, 5: True}
    assert latest(ever(line_1, package="R05")) == old
    assert latest(ever(line_1, firmware="R05")) == old | {6: True}
    new = {1: True, 3: True, 4: False}
    assert latest(ever(line_1, package="R06")) == new
    assert latest(ever(line_1, firmware="R06*")) == new
    assert len(list(ever(line_1, firmware="R0*"))) == 6
    assert len(list(ever(line_1, package="R05", firmware="R0*"))) == 4


@pytest.mark.parametrize("kind", ["package", "firmware"])
def test_of_one_station_by_where_the_flash_was_made(url: str, kind: str) -> None:
    """Unit 1 went from line-1 to line-2, unit 2 got the same at both, unit 3 moved on elsewhere."""
    with line(url) as made:
        made.tried(1, PASS, package=OLD, station="line-1")
        made.tried(1, PASS, package=NEW, station="line-2")
        made.tried(2, PASS, package=OLD, station="line-2")
        made.tried(2, PASS, package=OLD, station="line-1")
        made.tried(3, PASS, package=OLD, station="line-2")
        made.tried(3, FAIL, package=OLD, station="line-1")
    old, new = {kind: "R05"}, {kind: "R06"}
    assert units(recall(url, **old)) == [2, 3]
    assert units(recall(url, **old, station="line-1")) == [2]
    assert units(recall(url, **old, station="line-2")) == [3]
    assert units(recall(url, **new, station="line-1")) == []
    assert latest(ever(url, **old, station="line-1")) == {1: False, 2: True}
    assert latest(ever(url, **old, station="line-2")) == {2: False, 3: True}
    assert latest(ever(url, **new, station="line-2")) == {1: True}
    for name in ("line-1", "line-2"):
        with exporting(url, recall=True, **old, station=name) as found:
            exported = [record.opened.attempt_id for record in found.attempts]
        assert exported == [one.attempt_id for one in recall(url, **old, station=name)]


@pytest.mark.parametrize("ask", [recall, ever])
@pytest.mark.parametrize("wanted", ["R0", "r05", "R05*", "5555555", "%", "", "4" * 8])
def test_no_package_is_an_empty_answer(line_1: str, ask: Ask, wanted: str) -> None:
    assert list(ask(line_1, package=wanted)) == []


@pytest.mark.parametrize("ask", [recall, ever])
@pytest.mark.parametrize("wanted", ["R0", "r05", "%*", "", "R07*"])
def test_no_version_is_an_empty_answer(line_1: str, ask: Ask, wanted: str) -> None:
    assert list(ask(line_1, firmware=wanted)) == []


def test_all_that_is_told_of_a_unit(line_1: str) -> None:
    (one,) = (found for found in recall(line_1, package="R06") if found.imei == imei(1))
    assert (one.slot, one.operator, one.lot, one.station) == ("A7", "maria", None, "line-1")
    assert (one.package, one.package_sha256, one.firmware) == ("R06", NEW.sha256, "R06")
    assert (one.outcome, one.is_latest, one.ended_utc_us) == (PASS, True, NOON_US + 20_000_000)
    last = "SELECT max(id), max(unit_id) FROM attempt_opened WHERE slot = 'A7'"
    assert rows(line_1, last) == [(one.attempt_id, one.unit_id)]


def test_a_package_that_was_added_anew_is_found_by_both_names(url: str) -> None:
    """Its first name is the package's; the name at the time is the attempt's."""
    with line(url) as made:
        made.tried(1, PASS, package=PackageRef("first-name", "77" * 32))
        made.tried(2, PASS, package=PackageRef("other-name", "77" * 32))
        made.tried(3, PASS, package=PackageRef("first-name", "88" * 32))
    assert units(recall(url, package="first-name")) == [1, 3]
    assert units(recall(url, package="other-name")) == [2]
    assert units(recall(url, package="77777777")) == [1, 2]


def test_a_package_may_be_called_like_a_digest(url: str) -> None:
    with line(url) as made:
        made.tried(1, PASS, package=PackageRef("77777777", "11" * 32))
        made.tried(2, PASS, package=PackageRef("R07", "77" * 32))
    assert units(recall(url, package="77777777")) == [1, 2]
    assert latest(ever(url, package="77777777")) == {1: True, 2: True}


def test_the_names_read_at_the_end_fill_the_gaps(url: str) -> None:
    opened = attempt()
    flashed(url, opened, verdict(opened))
    (one,) = recall(url, firmware=AFTER)
    assert (one.imei, one.serial, one.chip_serial) == (
        opened.unit.imei,
        opened.unit.serial,
        "1f0a2b3c",
    )


# --- how it is found --------------------------------------------------------------------------


@pytest.mark.sqlite
def test_a_package_is_looked_up_by_its_index_and_nothing_is_sorted(url: str) -> None:
    of_one = [asked._opened.c.package_sha256 == OLD.sha256, *of_package("R05")]
    same = of_package("R05", asked._later_opened)
    passed = (PASS,)
    there = [*of_one, asked._opened.c.station == "line-1"]
    same_there = [*same, asked._later_opened.c.station == "line-1"]
    for query in (
        asked.recall_question(of_one, passed),
        asked.recall_question(there, passed),
        asked.ever_question(of_one, same, passed),
        asked.ever_question(there, same_there, passed),
    ):
        steps = plan(url, query)
        by = "COVERING INDEX ix_attempt_opened_package (package_sha256=? AND package_name=?)"
        assert by in steps[0]
        later = "ix_attempt_closed_unit_id_outcome (unit_id=? AND outcome=? AND attempt_id>?)"
        assert any(later in step for step in steps), steps
        assert not [step for step in steps if "SCAN" in step or "B-TREE" in step], steps


@pytest.mark.sqlite
def test_a_version_is_looked_up_by_its_index_and_nothing_is_sorted(url: str) -> None:
    steps = plan(url, asked.recall_question([asked._closed.c.firmware_after == "R05"]))
    assert "ix_attempt_closed_firmware_after (firmware_after=?)" in steps[0]
    assert not [step for step in steps if "SCAN" in step or "B-TREE" in step], steps


@pytest.mark.sqlite
def test_of_the_packages_alone_all_are_read(url: str) -> None:
    steps = plan(url, packages_called("77777777"))
    assert [step for step in steps if "SCAN" in step] == ["SCAN package"]
