"""The station's side of one boot: modules attached, engine serving, line armed; a cut or an end.

The folder `/rig` is shared with who drives it from outside: what the station tells goes there as
it is told; the files `cut` and `end` come from there.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.kernel.kernel import until
from tests.programs import Forked, forked, ran, template

RIG = Path("/rig")
LINE = Path("/disk/line")
CONFIG = ("--config", str(LINE / "station.yaml"))
RECIPE = "ec25-demo"

UP_S = 120.0
"""Whatever is begun is up by then."""

BOOT_S = 900.0
"""Nobody needs a boot for longer."""


def main(address: str, modules: str) -> int:
    """0: it ended well when it was asked to. From a cut nothing returns."""
    template()
    threading.Thread(target=_cut_when_told, daemon=True).start()
    attacher = _begin("attach", "sim", "usbip", "attach", address, "--modules", modules)
    _await(lambda: "keep their ports" in _said("attach.log"), "the modules are not attached")
    (LINE / "slots.yaml").write_text(_said("attach.out"))
    engine = _begin("serve", "serve", *CONFIG)
    _await(lambda: "serving" in _said("serve.log"), "the engine does not serve")
    _begin("watch", "line", "watch", "--json", *CONFIG)
    _await(lambda: "snapshot" in _said("watch.out"), "the engine tells nothing")
    armed = ran("line", "arm", "--recipe", RECIPE, "--operator", "maria", *CONFIG, limit_s=UP_S)
    if armed.returncode != 0:
        sys.exit(f"powercut: the line cannot be armed: {armed.stderr}")
    (RIG / "armed").touch()
    _await((RIG / "end").exists, "nobody ends it", BOOT_S)
    return _ended(engine) or _ended(attacher)


def _begin(name: str, *arguments: str) -> Forked:
    with (RIG / f"{name}.out").open("w") as out, (RIG / f"{name}.log").open("w") as err:
        return forked(arguments, out, err)


def _ended(program: Forked) -> int:
    program.send_signal(signal.SIGTERM)
    return program.wait(UP_S)


def _said(name: str) -> str:
    return (RIG / name).read_text()


def _await(seen: Callable[[], bool], else_: str, limit_s: float = UP_S) -> None:
    if not until(seen, limit_s):
        sys.exit(f"powercut: {else_} within {limit_s:g} s")


def _cut_when_told() -> None:
    """The kernel resets the machine at once: it writes nothing back and asks no driver."""
    while not (RIG / "cut").exists():
        time.sleep(0.02)  # a poll of the shared folder, as long as this process lives
    Path("/proc/sysrq-trigger").write_text("b")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
