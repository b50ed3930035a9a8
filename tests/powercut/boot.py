"""One boot of the station's machine, from outside."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.holding import Broken
from tests.kernel.kernel import until
from tests.kernel.machine import REPOSITORY, TURN_S, Machine
from tests.powercut.told import Told

HOST = "10.0.2.2"
"""This machine, as the guest's network has it. The guest has no way to any other."""

_NETWORK = ("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net")

UP_S = 240.0
LIMIT_S = 900.0
DIES_S = 30.0
SILENT_S = 30.0
"""It speaks every second, if it lives."""


@dataclass
class Boot:
    """`share`: its folder, made anew. Entered, the guest runs; left, it does not."""

    share: Path
    disk: Sequence[str]
    tcp_port: int
    modules: int

    def __enter__(self) -> Self:
        shutil.rmtree(self.share, ignore_errors=True)
        self.share.mkdir(parents=True)
        self.told = Told(self.share / "watch.out")
        script = Path("tests/powercut/guest.sh")
        address = f"{HOST}:{self.tcp_port}"
        command = f"cd {REPOSITORY} && bash {script} {sys.executable} {address} {self.modules}"
        devices = (*_NETWORK, *self.disk)
        machine = Machine(self.share, devices, processors=1, say=lambda _: None, counts=False)
        self._began_s = time.monotonic()
        self._thread = ThreadPoolExecutor(1)
        self._code: Future[int] = self._thread.submit(machine.run, command, limit_s=LIMIT_S)
        self._await((self.share / "console").exists, "it is no guest's turn", TURN_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        (self.share / "cut").touch()
        self._thread.shutdown()

    def await_file(self, name: str) -> Path:
        """One that the guest makes. Raises Broken."""
        self._await((self.share / name).exists, f"there is no {name}", UP_S)
        return self.share / name

    def look(self) -> None:
        """Take in what was told. Raises Broken if the guest has ended by itself or
        is silent."""
        self.told.listen()
        if self._code.done():
            raise Broken(f"the guest ended by itself: {self._words()}")
        if self.told.silent_s() > SILENT_S:
            raise Broken(f"the station has said nothing for {SILENT_S:g} s")

    def cut(self) -> None:
        """The power goes. Raises Broken if the guest had ended before or does not die of it."""
        self.look()
        (self.share / "cut").touch()
        if not until(self._code.done, DIES_S) or (self.share / "exit").exists():
            raise Broken("the guest survived the cut")
        self.told.listen()

    def end(self) -> None:
        """The station ends, the disk is put away. Raises Broken if that does not go well."""
        (self.share / "end").touch()
        if not until(self._code.done, UP_S) or self._code.result() != 0:
            raise Broken(f"the station did not end well: {self._words()}")
        self.told.listen()

    def _await(self, seen: Callable[[], bool], else_: str, limit_s: float) -> None:
        if not until(lambda: seen() or self._code.done(), limit_s) or not seen():
            raise Broken(f"{else_}: {self._words()}")

    def _words(self) -> str:
        """The end of what the guest said."""
        console = self.share / "console"
        return console.read_text(errors="replace")[-600:] if console.exists() else "no console"
