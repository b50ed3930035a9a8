"""A short run of what `python -m tests.tamper` does, and that it can fail."""

import random
from pathlib import Path

import pytest

from station.store.verify import verify
from tests.holding import Broken
from tests.store.samples import a_key
from tests.tamper import __main__ as tamper
from tests.tamper.edits import Edit, edits
from tests.tamper.records import make_record


@pytest.mark.parametrize("seed", [1, 2])
def test_edits_are_found_and_named(tmp_path: Path, seed: int) -> None:
    assert tamper.edit_copies(tmp_path, seed).total() == tamper.EDITS_EACH


def test_nothing_is_found_where_nobody_touched_anything(tmp_path: Path) -> None:
    tamper.leave_alone(tmp_path, 1)


def test_an_edit_that_is_not_found_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tamper, "edits", lambda _: (lambda _db, _chance: Edit("nothing", ""),))
    with pytest.raises(Broken, match="nothing: not found"):
        tamper.edit_copies(tmp_path, 1)


def test_a_checkpoint_kept_elsewhere_must_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what was signed again with the station's key, nothing else tells."""
    monkeypatch.setattr(
        tamper, "edits", lambda key: [do for do in edits(key) if do.__name__ == "sign_it_again"]
    )
    assert tamper.edit_copies(tmp_path, 1)["sign_it_again"] == tamper.EDITS_EACH - 1
    monkeypatch.setattr(tamper, "verify", lambda url, _, trusted: verify(url, (), trusted))
    with pytest.raises(Broken, match="signed by the station: "):
        tamper.edit_copies(tmp_path, 1)


def test_a_false_alarm_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(path: Path, chance: random.Random, key: object) -> object:
        return make_record(path, chance, a_key())

    monkeypatch.setattr(tamper, "make_record", other)
    with pytest.raises(Broken, match="false alarm"):
        tamper.leave_alone(tmp_path, 1)
