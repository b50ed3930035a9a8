"""Which names of a question a record never had."""

import pytest

from station.model import Outcome
from station.store.never_had import NeverHad, like, never_had
from tests.store.made import NEW, OLD, line


@pytest.fixture
def line_1(url: str) -> str:
    with line(url) as made:
        made.tried(1, Outcome.PASS, package=OLD, slot="A1")
        made.tried(2, Outcome.FAIL, package=NEW, slot="A2")
    return url


@pytest.mark.parametrize("package", ["R05", "R06", OLD.sha256, "6" * 8])
def test_a_package_that_was_there(line_1: str, package: str) -> None:
    assert never_had(line_1, package=package) == []


@pytest.mark.parametrize("firmware", ["R05", "R0*", "*"])
def test_a_version_that_was_there(line_1: str, firmware: str) -> None:
    assert never_had(line_1, firmware=firmware) == []


def test_names_that_never_were(line_1: str) -> None:
    assert never_had(line_1, package="R0", firmware="X*", slot="a2")[::2] == [
        NeverHad("package", "R0", ("R05", "R06")),
        NeverHad("slot", "a2", ("A2", "A1")),
    ]
    assert never_had(line_1, slot="A2") == []


def test_a_record_without_any(url: str) -> None:
    assert never_had(url, package="R05") == [NeverHad("package", "R05", ())]


def test_what_begins_so_comes_first() -> None:
    names = ["EC25EFAR06A06M4G_01.002", "EC25", "EC25EFAR06A08M4G_01.003", "RM500Q"]
    near = like("ec25efar06a08m4g", names)
    assert near[:2] == ("EC25EFAR06A08M4G_01.003", "EC25EFAR06A06M4G_01.002")
    assert near[-1] == "RM500Q"
