"""What USB transfers cost, on a real kernel: the station against its fallback and against qdl.

    python -m tests.bench.usb [MEGABYTES]

Boots the guest of `tests.kernel` and measures in it; modules are simulated, with a programmer that
takes no time of its own, and served over USB/IP by another process. Everything is emulated, so
the figures are ratios of one run and nothing else.

async     asynchronous transfers that trio waits for: what the station does on Linux
threads   synchronous pyusb in threads: what it falls back to
qdl       Debian's, which writes 512 bytes at a time whatever the payload (informative)

MB/s      one image to one module, from the first packet to the ACK of the reset
cpu       of the flashing process, user and system, per MB; `server`: of the simulated modules
first     from the kernel's word that the module is there to the first packet of the host
cancel    from asking a running span to end until it has

where the CPU goes: of the best asynchronous run, user and system; then the functions of another
one under the profiler, by the time they spent themselves.
"""
