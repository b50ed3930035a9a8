"""The guest: its kernel, its first folder, the QEMU command, its end."""

import fcntl
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests.kernel import initrd

REPOSITORY = Path(__file__).parents[2]

_TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "udevadm": "udev",
    "modprobe": "kmod",
    "usbip": "usbip",
    "qdl": "qdl",
}
PACKAGES = (*_TOOLS.values(), "linux-image-amd64")

_GUEST = Path(__file__).with_name("guest.sh")
_MEMORY = "3G"
_PROCESSOR = "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+rdrand"
"""A plain one: what a newer one has for speed or for safety is slow when another plays it."""
_FREE = ("-accel", "tcg,thread=multi")
_COUNTING = ("-accel", "tcg,thread=single", "-icount", "shift=0", "-rtc", "clock=vm")
_OFF = "mitigations=off init_on_alloc=0"
"""No secrets are in the guest."""
_NOT_HERE = (
    *("ata_generic", "ata_piix", "button", "evdev", "floppy", "i2c_piix4"),
    *("kvm_amd", "pcspkr", "powernow_k8", "psmouse", "serio_raw"),
)
"""What udevd would load for what every PC has: a second of each boot, and no test looks at it."""
_FIRMWARE = "qboot.rom"
"""QEMU's own, that only starts Linux. SeaBIOS took a tenth of a short guest's time."""
_KILLED = 124
_LOOK_S = 0.5

TURN_S = 3600.0
"""Few guests run at a time; other suites end by then."""


def shown(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class Missing(Exception):
    """This machine lacks something; the words say what to install."""


@dataclass(frozen=True, slots=True)
class Kernel:
    image: Path
    modules: Path


@dataclass(frozen=True, slots=True)
class Machine:
    """One boot. `share` is a folder that guest and host both write: `command` goes in; `exit`,
    `dmesg`, `console` and whatever the tests leave come out. `more`: arguments of QEMU for devices
    of its own; `say` takes what the console says. `processors`: one if another guest runs beside
    it. Of two, one spins for locks whose holder waits for a processor of this machine.
    `counts`: its clock goes on by a nanosecond with each instruction, and as all clocks do while
    it rests. However slowly it is played it is no slower in its own eyes, and what must be done in
    some seconds is done in them; not for a guest that works with somebody outside."""

    share: Path
    more: tuple[str, ...] = ()
    processors: int = 2
    say: Callable[[str], None] = shown
    counts: bool = True

    def run(self, command: str, *, limit_s: float) -> int:
        """Boot, run a shell command as root, answer its exit code.

        Raises Missing. 124 if it is not done in time; the guest is ended then.
        """
        kernel = _kernel()
        (self.share / "command").write_text(f"{command}\n")
        (self.share / "stage").write_text(f"{_GUEST}\n")
        (self.share / "exit").unlink(missing_ok=True)
        archive = self.share / "initrd"
        initrd.write(archive, kernel.modules, Path(_tool("busybox")))
        with _turn("counting", 2) if self.counts else _turn("free", 1):
            return self._boot(kernel, archive, limit_s)

    def _boot(self, kernel: Kernel, archive: Path, limit_s: float) -> int:
        qemu = subprocess.Popen(
            self._qemu(kernel.image, archive),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            done = self._follow(qemu, time.monotonic() + limit_s)
        finally:
            qemu.kill()
            qemu.wait()
        if not done:
            self.say(f"\ntests.kernel: not done within {limit_s:g} s, ended\n")
            return _KILLED
        return self._exit_code()

    def _follow(self, qemu: "subprocess.Popen[bytes]", deadline_s: float) -> bool:
        """Show and keep what the guest says until it is off. False if time ran out first."""
        assert qemu.stdout is not None
        with (
            (self.share / "console").open("wb", buffering=0) as console,
            selectors.DefaultSelector() as ready,
        ):
            ready.register(qemu.stdout, selectors.EVENT_READ)
            while (left_s := deadline_s - time.monotonic()) > 0:
                if not ready.select(left_s):
                    continue
                said = qemu.stdout.read1(65536)  # type: ignore[attr-defined]  # a BufferedReader
                if not said:
                    return True
                console.write(said)
                self.say(said.decode(errors="replace").replace("\r\n", "\n"))
        return False

    def _exit_code(self) -> int:
        try:
            return int((self.share / "exit").read_text())
        except (OSError, ValueError):
            self.say("tests.kernel: the guest ended without a word; see console\n")
            return 1

    def _qemu(self, image: Path, archive: Path) -> list[str]:
        """Two monitors meet in one socket, so that tests in the guest can plug QEMU's devices."""
        qmp = self.share / "qmp"
        qmp.unlink(missing_ok=True)
        return [
            *(_tool("qemu-system-x86_64"), "-nodefaults", "-no-user-config", "-no-reboot"),
            *(_COUNTING if self.counts else _FREE),
            *("-cpu", _PROCESSOR, "-m", _MEMORY),
            *("-smp", str(self.processors)),
            *("-display", "none", "-serial", "stdio"),
            *("-bios", _FIRMWARE, "-kernel", str(image), "-initrd", str(archive)),
            *(
                "-append",
                "console=ttyS0 quiet loglevel=3 panic=-1 station.rig tsc=reliable"
                f" {_OFF} modprobe.blacklist={','.join(_NOT_HERE)}",
            ),
            *("-device", "virtio-rng-pci"),
            *_share("root", Path("/"), ",readonly=on"),
            *_share("rig", self.share, ""),
            *("-chardev", f"socket,id=monitor,path={qmp},server=on,wait=off"),
            *("-mon", "chardev=monitor,mode=control"),
            *("-chardev", f"socket,id=guest,path={qmp},server=off"),
            *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=guest,name=qmp"),
            *("-device", "qemu-xhci,id=xhci,p2=8,p3=8"),
            *self.more,
        ]


@contextmanager
def _turn(kind: str, most: int) -> Iterator[None]:
    """At most so many guests of this kind at a time: each keeps about one core busy, and more
    starve each other. Those that count do not mind it but for their limit."""
    with ExitStack() as held:
        folder = Path(tempfile.gettempdir())
        lanes = [
            held.enter_context((folder / f"station-{kind}-{n}.lock").open("w")) for n in range(most)
        ]
        deadline_s = time.monotonic() + TURN_S
        while not any(map(_is_free, lanes)):
            if time.monotonic() > deadline_s:
                raise Missing(f"{most} other guests run, and none ended within {TURN_S:g} s")
            time.sleep(_LOOK_S)  # the kernel waits for one lock, not for the first of two
        yield


def _is_free(lane: TextIO) -> bool:
    """And it is ours now."""
    try:
        fcntl.flock(lane, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _share(tag: str, folder: Path, more: str) -> Iterator[str]:
    yield from ("-fsdev", f"local,id={tag},path={folder},security_model=none,multidevs=remap{more}")
    yield from ("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}")


def _tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.defpath}:/usr/local/bin:/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"{name} is not here; install it with: apt-get install {' '.join(PACKAGES)}")
    return found


def _kernel() -> Kernel:
    """The newest Debian kernel that has its modules here."""
    for tool in _TOOLS:
        _tool(tool)
    for modules in sorted(Path("/lib/modules").glob("*-amd64"), reverse=True):
        image = Path("/boot") / f"vmlinuz-{modules.name}"
        if image.is_file() and (modules / "modules.dep").is_file():
            return Kernel(image, modules)
    raise Missing("there is no Debian kernel in /boot; apt-get install linux-image-amd64")
