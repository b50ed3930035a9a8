"""What systemd is told about the engine: the protocol of sd_notify(3). Says nothing elsewhere."""

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress


class Notify:
    """Messages to the service manager that started this process; never raises, never waits.

    Takes its variables out of the environment, so that no child speaks in our name.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        self._watchdog_s = _watchdog_s(
            environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        )

    @property
    def watchdog_s(self) -> float | None:
        """Silent for so long, the engine is killed; feed it twice as often. None: no watchdog."""
        return self._watchdog_s

    def ready(self) -> None:
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())}")

    def watchdog(self) -> None:
        """The engine lives."""
        self._send("WATCHDOG=1")

    def extend(self, timeout_s: float) -> None:
        """Starting or stopping takes longer: this much from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(timeout_s * 1_000_000)}")

    def _send(self, message: str) -> None:
        if self._address[:1] not in ("/", "@"):
            return
        # A leading @ stands for the zero byte of an abstract name.
        address = self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as voice:
            voice.sendto(message.encode(errors="replace"), os.fsencode(address))


def _watchdog_s(usec: str, pid: str) -> float | None:
    if pid and pid != str(os.getpid()):
        return None
    return int(usec) / 1_000_000 if usec.isascii() and usec.isdigit() and int(usec) else None
