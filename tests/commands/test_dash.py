"""`station dash`: however the screen ends, the terminal is given back."""

import signal
from pathlib import Path

import pytest

from tests.commands.running import files
from tests.commands.terminal import SCREEN_OFF, SCREEN_ON, terminal

MOUSE_ON = "\x1b[?1000h"

BROKEN = """
import sys
from station.cli import app
from station.dashboard.grid_screen import GridScreen

def no_grid(screen):
    raise ValueError("a slip")

GridScreen.on_mount = no_grid
app()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_gives_the_terminal_back(tmp_path: Path, number: signal.Signals) -> None:
    config = files(tmp_path, 1)
    with terminal("dash", "--kiosk", "--config", config, cwd=tmp_path) as seat:
        seat.see(SCREEN_ON)
        assert MOUSE_ON not in seat.see("no engine listens")
        assert not seat.echoes
        seat.process.send_signal(number)
        assert MOUSE_ON not in seat.see(SCREEN_OFF)
        assert "Traceback" not in seat.rest()
        assert seat.process.returncode == 0
        assert seat.echoes


@pytest.mark.parametrize("kiosk", [[], ["--kiosk"]])
def test_a_bug_of_the_screen_is_told_when_the_terminal_is_back(
    tmp_path: Path, kiosk: list[str]
) -> None:
    config = files(tmp_path, 1)
    command: tuple[str | Path, ...] = ("dash", *kiosk, "--config", config)
    with terminal(*command, cwd=tmp_path, program=("-c", BROKEN)) as seat:
        seat.see(SCREEN_OFF)
        words = seat.rest()
        assert seat.process.returncode == 3
        assert seat.echoes
    assert "no_grid" in words, "where it happened"
    assert "X901 STATION BUG: the screen ended by itself (ValueError('a slip'))" in words
    assert "  -> Open it again" in words
