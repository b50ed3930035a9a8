"""Results that the record does not hold: said by the doctor, too, and left as they are."""

from pathlib import Path

import pytest

from station.commands.checks.finding import Grade
from station.commands.checks.results import results
from station.config import load_settings
from station.store.pending import Pending, beside
from tests.commands.checks.conftest import Machine, found, only, wrong
from tests.store.test_pending import result


@pytest.fixture
def pending(machine: Machine) -> Pending:
    folder = beside(load_settings(machine.config).database)
    assert folder is not None
    return Pending(folder)


def test_nothing_waits(machine: Machine, pending: Pending) -> None:
    assert [finding.grade for finding in found(results, machine)] == [Grade.OK]
    pending.prepare()
    assert wrong(results, machine) == [], "its reserve is no result"


def test_results_that_wait_are_counted(machine: Machine, pending: Pending) -> None:
    kept = [pending.write(number, result()) for number in (1, 2)]
    finding = only(results, machine)
    assert (finding.grade, finding.what) == (Grade.WARN, "results wait to be recorded: 2")
    assert all(place.exists() for place in kept)


def test_each_that_was_set_aside_is_named(machine: Machine, pending: Pending) -> None:
    aside = [pending.set_aside(pending.write(number, result()), "damaged") for number in (1, 2)]
    findings = wrong(results, machine)
    assert [finding.where for finding in findings] == list(map(str, aside))
    assert all(finding.grade is Grade.BAD and finding.remedy for finding in findings)


def test_a_server_leaves_them_beside_the_packages(machine: Machine) -> None:
    settings = load_settings(machine.config)
    machine.settings(**{"database: ": "database: postgresql+psycopg://nobody@nowhere/none #"})
    Pending(Path(f"{settings.store}.pending")).write(1, result())
    assert only(results, machine).what == "results wait to be recorded: 1"


def test_a_folder_that_nobody_may_read(
    machine: Machine, pending: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: Path) -> object:
        raise PermissionError(13, "Permission denied")

    pending.prepare()
    monkeypatch.setattr(Path, "iterdir", closed)
    assert only(results, machine).grade is Grade.CANNOT_TELL
