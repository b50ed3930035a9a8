"""A flash by hand, in literal bytes: what a host sends to one module, step by step."""

import struct

from station.sim.images import programmer
from station.sim.layouts import Layout, Part
from tests.sim.host import Host

SWITCH = bytes.fromhex("4b650100540f7e")
GO_LOAD = bytes.fromhex("020000003000000002000000010000000000000000000000") + bytes(24)
DONE = bytes.fromhex("0500000008000000")
RESET = bytes.fromhex("0700000008000000")
HEAD = b'<?xml version="1.0" encoding="UTF-8" ?><data>'
CONFIGURE = (
    HEAD + b'<configure MemoryName="nand" MaxPayloadSizeToTargetInBytes="8192" '
    b'ZlpAwareHost="1" /></data>'
)
POWER_RESET = HEAD + b'<power value="reset" /></data>'


def to_edl(host: Host) -> str | None:
    host.open(0)
    host.send(SWITCH)
    host.read()
    return host.wait_return()


def load(host: Host, layout: Layout) -> None:
    """From the HELLO to the banner. A chip that refuses ends the test."""
    image = programmer(layout)
    host.read()
    host.send(GO_LOAD)
    while (packet := host.read()) is not None and packet[0] == 3:
        offset, count = struct.unpack_from("<2I", packet, 12)
        host.send(image[offset : offset + count])
    assert packet == bytes.fromhex("04000000100000000d00000000000000")
    host.send(DONE)
    assert host.read() == bytes.fromhex("060000000c00000001000000")
    assert b"INFO: Binary build date" in host.read_all()


def command(layout: Layout, tag: str, start: int, count: int) -> bytes:
    words = (
        f'<{tag} PAGES_PER_BLOCK="{layout.pages_per_block}" '
        f'SECTOR_SIZE_IN_BYTES="{layout.sector_size_bytes}" num_partition_sectors="{count}" '
        f'physical_partition_number="0" start_sector="{start}" /></data>'
    )
    return HEAD + words.encode()


def erase(host: Host, layout: Layout, part: Part) -> bytes:
    return host.ask(command(layout, "erase", layout.start_sector(part), layout.num_sectors(part)))


def program(host: Host, layout: Layout, part: Part, data: bytes) -> bytes:
    """All answers after the data; empty when the module is gone."""
    sectors = -(-len(data) // layout.sector_size_bytes)
    data = data.ljust(sectors * layout.sector_size_bytes, b"\0")
    host.ask(command(layout, "program", layout.start_sector(part), sectors))
    for at in range(0, len(data), 8192):
        chunk = data[at : at + 8192]
        host.send(chunk)
        if len(chunk) % 512 == 0:
            host.send(b"")
    return host.read_all()
