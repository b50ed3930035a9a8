"""QEMU's monitor from inside the guest: hands that plug QEMU's own USB devices and hubs.

JSON lines over a virtio port. Ref: QEMU docs/interop/qmp-spec.rst.
"""

import json
import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PORT = Path("/dev/virtio-ports/qmp")
ANSWER_S = 20.0


class Refused(Exception):
    """QEMU's own words."""


class Monitor:
    """One conversation. Raises Refused, TimeoutError."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""
        with suppress(Refused):  # an earlier conversation of this boot did it
            self._ask("qmp_capabilities")

    def plug(self, driver: str, name: str, bus: str, port: str, **more: Any) -> None:  # noqa: ANN401 - JSON
        """`device_add`: e.g. usb-mouse, usb-hub; `port` is a chain such as 1 or 1.2."""
        self._ask("device_add", driver=driver, id=name, bus=f"{bus}.0", port=port, **more)

    def unplug(self, name: str) -> None:
        self._ask("device_del", id=name)

    def _ask(self, command: str, **arguments: Any) -> None:  # noqa: ANN401 - JSON
        words = {"execute": command, "arguments": arguments}
        os.write(self._descriptor, json.dumps(words).encode() + b"\n")
        deadline_s = time.monotonic() + ANSWER_S
        while True:
            answer = json.loads(self._line(deadline_s))
            if "return" in answer:
                return
            if "error" in answer:
                raise Refused(f"{command}: {answer['error']['desc']}")

    def _line(self, deadline_s: float) -> bytes:
        while b"\n" not in self._buffer:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([self._descriptor], [], [], left_s)[0]:
                raise TimeoutError("the monitor does not answer")
            self._buffer += os.read(self._descriptor, 65536)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


@contextmanager
def monitor() -> Iterator[Monitor]:
    descriptor = os.open(PORT, os.O_RDWR)
    try:
        yield Monitor(descriptor)
    finally:
        os.close(descriptor)
