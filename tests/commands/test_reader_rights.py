"""Commands of people who may read the record but not write beside it."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from station.commands import answers, audit_ask
from station.commands.answers import Form
from station.commands.exits import Exit, station_errors
from station.config import load_settings
from station.model import Outcome
from station.store.database import sqlite_url
from tests.demo_line import demo_line
from tests.new_record import new_record
from tests.store.made import NEW, line
from tests.store.samples import event, recorded
from tests.strangers import as_owner, as_stranger, folder_for_all


def test_a_list_is_half_printed_when_the_engine_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It ends with an error, so nobody takes the rows for all there are."""
    settings = load_settings(demo_line(tmp_path / "line", ["A1"]))
    new_record(sqlite_url(tmp_path / "made"))
    with line(sqlite_url(tmp_path / "made")) as made:
        for unit in range(700):
            made.tried(unit, Outcome.PASS)
    with folder_for_all() as folder:
        path = folder / "station.sqlite"
        shutil.copy(tmp_path / "made", path)

        def shown(text: str) -> None:
            os.write(1, f"{text}\n".encode())
            with as_owner(folder):
                recorded(sqlite_url(path), event())

        monkeypatch.setattr(answers, "show", shown)
        asked = replace(settings, database=sqlite_url(path))
        with as_stranger(folder), pytest.raises(SystemExit) as ended, station_errors():
            audit_ask.tell_recall(
                asked, package=NEW.name, firmware=None, station=None, form=Form.JSON
            )
    assert ended.value.code == Exit.STATION
    told = capfd.readouterr()
    assert len(told.out.splitlines()) >= 500
    assert "S510 WRITTEN MEANWHILE" in told.err
    assert "Ask again" in told.err
