"""A record whose name is a link to a larger disk is that file, by whatever name it goes."""

from pathlib import Path

import pytest

from station.engine import lock
from station.errors import EngineRunning
from station.model import Person
from station.store.backup import backup
from station.store.database import shown, sqlite_path, sqlite_url
from station.store.origin import Proof
from station.store.pending import beside
from station.store.queries import find_attempts
from station.store.restore import By, restore
from tests.new_record import new_record
from tests.store.samples import NOON_US, a_key, attempt, flashed

pytestmark = pytest.mark.sqlite


@pytest.fixture
def real(tmp_path: Path) -> Path:
    file = tmp_path / "large" / "station.sqlite"
    file.parent.mkdir()
    new_record(sqlite_url(file))
    return file


@pytest.fixture
def link(tmp_path: Path, real: Path) -> Path:
    link = tmp_path / "station.sqlite"
    link.symlink_to(real)
    return link


def test_its_lease_is_one(real: Path, link: Path) -> None:
    names = [sqlite_path(sqlite_url(path)) for path in (real, link)]
    for first, second in (names, reversed(names)):
        with lock.own(first, ()), pytest.raises(EngineRunning), lock.own(second, ()):
            pass


def test_what_waits_for_it_lies_beside_the_file(real: Path, link: Path) -> None:
    url = sqlite_url(link)
    assert shown(url) == str(real)
    assert beside(url) == beside(sqlite_url(real))


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_restore_leaves_the_link(real: Path, link: Path, *, is_gone: bool) -> None:
    url = sqlite_url(link)
    flashed(url, attempt())
    kept = backup(url).path
    assert kept.parent == real.parent
    flashed(url, attempt(slot="B7"))
    if is_gone:
        real.unlink()
    by = By("line-1", Person("maria"), None, 1000, "maria", NOON_US + 1, a_key())
    restore(url, kept, by, Proof(frozenset()))
    assert link.is_symlink()
    assert find_attempts(sqlite_url(real), slot="B7") == []
    assert len(find_attempts(sqlite_url(real), slot="A1")) == 1
    aside = list(real.parent.glob("*.replaced-*"))
    assert [(file.is_symlink(), file.is_file()) for file in aside] == [(False, True)] * len(aside)
    assert bool(aside) is not is_gone
