"""A program that opens every new ttyUSB and reads: `stray_reader.py HOLD_S`.

As ModemManager does, raw. Each one is let go after so many seconds. Runs until killed.
"""

import os
import sys
import time
import tty
from pathlib import Path


def main() -> None:
    hold_s = float(sys.argv[1])
    held: dict[str, tuple[int, float]] = {}
    known: set[str] = set()
    while True:
        now = {path.name for path in Path("/dev").glob("ttyUSB*")}
        for name in now - known:
            try:
                descriptor = os.open(f"/dev/{name}", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
            except OSError:
                continue
            tty.setraw(descriptor)
            held[name] = (descriptor, time.monotonic() + hold_s)
        known = now
        for name, (descriptor, until_s) in list(held.items()):
            try:
                os.read(descriptor, 4096)
            except BlockingIOError:
                pass
            except OSError:
                until_s = 0.0
            if time.monotonic() > until_s:
                os.close(descriptor)
                del held[name]
        time.sleep(0.002)  # how fast it is


if __name__ == "__main__":
    main()
