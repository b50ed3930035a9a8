"""What systemd hears, by a socket of its kind."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.engine.notify import Notify


@pytest.fixture
def systemd() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(5)
        yield listener


def test_every_word_arrives_as_it_is_written(tmp_path: Path, systemd: socket.socket) -> None:
    systemd.bind(str(tmp_path / "notify"))
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "HOME": "/"}
    notify = Notify(environ)
    assert environ == {"HOME": "/"}
    notify.ready()
    notify.status("armed:\n3 of 8 é")
    notify.watchdog()
    notify.extend(2.5)
    notify.stopping()
    assert [systemd.recv(1000) for _ in range(5)] == [
        b"READY=1",
        "STATUS=armed: 3 of 8 é".encode(),
        b"WATCHDOG=1",
        b"EXTEND_TIMEOUT_USEC=2500000",
        b"STOPPING=1",
    ]


def test_abstract_names_are_understood(systemd: socket.socket) -> None:
    name = f"station-test/{os.getpid()}@x"
    systemd.bind("\0" + name)
    Notify({"NOTIFY_SOCKET": "@" + name}).ready()
    assert systemd.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    "address", ["", "vsock:2:1", "/nowhere/at/all", "@nobody-there", "/" * 500]
)
def test_nobody_listens_and_nothing_happens(address: str) -> None:
    notify = Notify({"NOTIFY_SOCKET": address} if address else {})
    notify.ready()
    notify.stopping()


def test_a_service_manager_that_does_not_read_stops_nothing(
    tmp_path: Path, systemd: socket.socket
) -> None:
    systemd.bind(str(tmp_path / "notify"))
    notify = Notify({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for _ in range(10_000):
        notify.watchdog()
    assert systemd.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_ours_or_nobodys(environ: dict[str, str], watchdog_s: float | None) -> None:
    assert Notify(environ).watchdog_s == watchdog_s
    assert environ == {}
