"""The engine's socket in the file system: safely made, and gone with the engine."""

import socket
import stat
from pathlib import Path

import pytest
import trio
import trio.testing

from station.engine.feed import Feed
from station.engine.server import serve_socket
from station.errors import ConfigError, DiskTrouble
from tests.engine.screens import A1, HELLO, LINE, SILENCE_S, Clerk, serving


async def serve_in_vain(path: Path) -> None:
    with trio.fail_after(SILENCE_S):
        await serve_socket(path, HELLO, Clerk(), Feed([A1], LINE, lambda: 1))


def names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


@pytest.mark.trio
async def test_the_socket_is_for_its_group_and_goes_with_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "run" / "engine.sock"
    async with serving(path) as house:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert stat.S_IMODE(path.parent.stat().st_mode) & 0o027 == 0
        assert names_in(path.parent) == [path.name]
        assert await house.is_well()
    assert names_in(path.parent) == []


@pytest.mark.trio
async def test_the_socket_of_a_dead_engine_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(path) as house:
        assert await house.is_well()


@pytest.mark.trio
async def test_the_socket_of_a_later_engine_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    async with serving(path):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as later:
            later.bind(str(path))
    assert path.is_socket()


@pytest.mark.trio
@pytest.mark.parametrize("kind", ["file", "folder", "link", "dead link"])
async def test_what_is_not_a_socket_is_not_touched(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, kind: str
) -> None:
    path = tmp_path / "engine.sock"
    precious = tmp_path / "precious"
    precious.write_text("precious")
    match kind:
        case "file":
            path.write_text("precious")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(precious)
        case _:
            path.symlink_to(tmp_path / "nothing")
    before = path.lstat()
    with pytest.raises(ConfigError, match="is not a socket") as refusal:
        await serve_in_vain(path)
    assert str(path) in refusal.value.cause
    assert path.lstat() == before
    assert precious.read_text() == "precious"


@pytest.mark.trio
@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("x" * 200, ConfigError, "too long: 107 bytes is the most"),
        ("file/engine.sock", DiskTrouble, "cannot be made: "),
        ("..", ConfigError, "is not a socket"),
    ],
)
async def test_a_path_that_cannot_be_is_named(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    name: str,
    error: type[Exception],
    words: str,
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(error, match=words) as refusal:
        await serve_in_vain(tmp_path / name)
    assert str(tmp_path / name) in str(refusal.value)
    assert names_in(tmp_path) == ["file"]
