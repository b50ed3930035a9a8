"""The kernel suite: tests that run on a real Linux kernel, in a machine that this folder boots.

`python -m tests.kernel` boots Debian's stock kernel under QEMU's software emulation. The guest sees
this machine's root folder read-only (writes go to its memory), so repository and virtual
environment stand where they stand here; udevd runs, `vhci_hcd` is loaded, tests run as root.
Nothing of it needs root outside. `tests/run` collects nothing here. The whole suite takes two
guests side by side; their clocks count instructions, so a slow machine changes how long it takes,
not what comes of it.

`python -m tests.kernel tests/kernel/test_x.py -k name` runs a part of it, `--command SHELL`
something else; `--keep DIR` leaves console, kernel log and whatever tests wrote to `/rig` there.
"""
