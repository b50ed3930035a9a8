"""A backup is put back if the station signed it, and what it signed is still what is in it."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from station.errors import NotRestored
from station.model import RESTORED, Outcome, Person
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey
from station.store.backup import backup
from station.store.batch import batch_of
from station.store.database import sqlite_path, sqlite_url, writer_engine
from station.store.events import find_events
from station.store.origin import Proof
from station.store.queries import find_attempts
from station.store.restore import By, Restored, restore
from station.store.signing import sign
from station.store.verify import verify
from tests.store.samples import NOON_US, a_key, attempt, failed, flashed
from tests.tamper.edits import forge_without_key, opened

pytestmark = pytest.mark.sqlite

KEY = a_key()
TRUSTED = frozenset({KEY.public})


@dataclass
class Station:
    """Its record, and the file elsewhere to which its checkpoints go; each takes a second."""

    url: str
    folder: Path
    key: PrivateKey | None = KEY
    published: list[Checkpoint] = field(default_factory=list)
    utc_us: int = NOON_US

    def flash(self) -> None:
        """One module, which fails."""
        opened = attempt()
        flashed(self.url, opened, failed(opened))

    def sign(self) -> Checkpoint:
        assert self.key is not None
        engine = writer_engine(self.url)
        try:
            with batch_of(engine) as batch:
                made = sign(batch, "line-1", self.key, reason="rows", now_us=self._later())
        finally:
            engine.dispose()
        assert made is not None
        self.published.append(made)
        return made

    def backup(self, name: str) -> Path:
        return backup(self.url, self.folder / name).path

    def restore(
        self, file: Path, *, trusted: frozenset[str] = TRUSTED, unsigned: bool = False
    ) -> Restored:
        by = By("line-1", Person("eva"), "the disk died", 1000, "eva", self._later(), self.key)
        done = restore(self.url, file, by, Proof(trusted, self.published, unsigned))
        self.published += [done.signed] if done.signed else []
        return done

    def _later(self) -> int:
        self.utc_us += 1_000_000
        return self.utc_us


@pytest.fixture
def line(url: str, tmp_path: Path) -> Station:
    """Two attempts, each of which was signed."""
    made = Station(url, tmp_path)
    for _ in range(2):
        made.flash()
        made.sign()
    return made


def forged(file: Path, after: int = 0) -> Path:
    """By somebody who can write to where the backups are, and has no key."""
    with opened(file) as db:
        forge_without_key(db, after)
    assert verify(sqlite_url(file)).is_untouched
    ended = find_attempts(sqlite_url(file))[-1].closed
    assert ended is not None
    assert ended.outcome is Outcome.PASS
    return file


def refused(line: Station, file: Path, why: str, *, unsigned: bool = False) -> None:
    path = sqlite_path(line.url)
    assert path is not None
    before = path.read_bytes()
    with pytest.raises(NotRestored, match=why):
        line.restore(file, unsigned=unsigned)
    assert path.read_bytes() == before


# --- forged -----------------------------------------------------------------------------------


def test_a_chain_that_was_made_anew_gets_no_signature(line: Station) -> None:
    line.published.clear()
    file = forged(line.backup("kept.bak"))
    refused(line, file, "no trusted key has signed anything of line-1 in it, .* --unsigned")


@pytest.mark.parametrize("unsigned", [False, True])
def test_what_was_signed_and_kept_elsewhere_must_be_in_it(line: Station, unsigned: bool) -> None:
    """The first checkpoint is left, so that it was signed by the station."""
    first, second = line.published
    file = forged(line.backup("kept.bak"), after=first.seq + 1)
    why = f"link {second.seq} of line-1 in it is not the one that was signed"
    refused(line, file, why, unsigned=unsigned)


def test_a_key_of_somebody_else(line: Station) -> None:
    line.key = a_key()
    line.flash()
    line.sign()
    file = line.backup("kept.bak")
    refused(line, file, f"signed with {line.key.public}, which is not trusted; .*audit: {{trusted")
    refused(line, file, "not trusted", unsigned=True)


# --- the station's own ------------------------------------------------------------------------


def test_how_far_it_had_been_signed_is_on_record(line: Station) -> None:
    last = line.published[-1]
    line.flash()
    done = line.restore(line.backup("kept.bak"))
    assert done.signed_to == {"line-1": last.seq}
    (told,) = find_events(line.url, kind=RESTORED)
    assert told.detail["signed_to"] == {"line-1": last.seq}


def test_an_older_one_than_what_was_signed_last(line: Station) -> None:
    file = line.backup("kept.bak")
    line.flash()
    line.sign()
    line.restore(file)
    assert len(find_attempts(line.url)) == 2


def test_a_station_without_a_key(line: Station) -> None:
    """Nothing is known that it could be held against, and nothing is signed."""
    file = line.backup("kept.bak")
    line.key = None
    done = line.restore(file, trusted=frozenset())
    assert (done.signed_to, done.signed) == ({}, None)


def test_one_from_before_the_key_was_made(url: str, tmp_path: Path) -> None:
    line = Station(url, tmp_path)
    line.flash()
    file = line.backup("kept.bak")
    line.flash()
    line.sign()
    refused(line, file, "from before there was a key, --unsigned takes it")
    assert line.restore(file, unsigned=True).signed_to == {}


def test_an_earlier_key_and_that_of_the_machine_before(line: Station) -> None:
    """Named in the settings; the new one signs what was put back."""
    file, line.key = line.backup("kept.bak"), a_key()
    new = frozenset({line.key.public})
    with pytest.raises(NotRestored, match=KEY.public):
        line.restore(file, trusted=new)
    done = line.restore(file, trusted=TRUSTED | new)
    assert done.signed is not None
    assert done.signed.public_key == line.key.public
    assert verify(line.url, line.published, TRUSTED | new).is_untouched


# --- restored before --------------------------------------------------------------------------


def test_one_of_after_a_restore_that_lost_something(line: Station) -> None:
    file = line.backup("kept.bak")
    line.flash()
    line.sign()  # lost
    line.restore(file)
    for _ in range(2):
        line.flash()
    line.sign()
    line.restore(line.backup("after.bak"))
    assert len(find_attempts(line.url)) == 4


def undone(line: Station, *, signed: bool = True) -> Path:
    """What was in place when a backup of one attempt less was put back, and written to since."""
    file = line.backup("kept.bak")
    line.flash()
    if signed:
        line.sign()
    done = line.restore(file)
    line.flash()
    line.sign()
    assert done.aside is not None
    return done.aside


def test_a_restore_is_undone(line: Station) -> None:
    line.restore(undone(line))
    assert len(find_attempts(line.url)) == 3
    line.flash()
    line.sign()
    line.restore(line.backup("after.bak"))


def test_a_restore_is_undone_of_what_had_not_been_signed_yet(line: Station) -> None:
    aside = undone(line, signed=False)
    refused(line, aside, "not the one that was signed: .* before a restore, --unsigned takes it")
    line.restore(aside, unsigned=True)
    assert len(find_attempts(line.url)) == 3


def test_what_was_signed_since_is_held_against_it(line: Station) -> None:
    """Of the history that was left nothing needs to be in it; of the one that goes on, all."""
    line.restore(undone(line))
    restored = line.published[-1]
    line.flash()
    line.sign()
    file = forged(line.backup("after.bak"), after=restored.seq + 1)
    refused(line, file, "not the one that was signed", unsigned=True)
