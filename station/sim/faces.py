"""How a simulated Quectel module enumerates, mode by mode.

Ref: EC25-AU in EDL, configuration descriptor
`09 02 20 00 01 01 00 80 01  09 04 00 00 02 ff ff ff 00  07 05 81 02 00 02 00  07 05 01 02 00 02 00`
(fwupd qc-ec25au-setup.json); ModemManager 77-mm-quectel-port-types.rules for the interface map.
"""

from station.model import BOOT_ROM, Endpoint, Interface
from station.sim.port import Face

DIAG, NMEA, AT, MODEM, NETWORK = range(5)
"""Interface numbers of the serial ports in normal mode."""

QUALCOMM, EDL_PID = BOOT_ROM
QUECTEL = 0x2C7C
CRASHED_PID = 0x900E

_BULK, _INTERRUPT = 2, 3
_HIGH_SPEED_BYTES, _SUPER_SPEED_BYTES = 512, 1024


def edl_face(product: str | None, usb_protocol: int = 0xFF) -> Face:
    """One interface, one bulk pair, always high speed."""
    return Face(QUALCOMM, EDL_PID, (_lone_interface(usb_protocol),), product)


def crashed_face(product: str | None) -> Face:
    """Memory-dump mode: Sahara answers, nothing can be flashed."""
    return Face(QUALCOMM, CRASHED_PID, (_lone_interface(0x10),), product)


def runtime_face(pid: int, product: str, *, superspeed: bool) -> Face:
    """DIAG with two endpoints, then NMEA, AT, modem and QMI with an interrupt endpoint each."""
    packet = _SUPER_SPEED_BYTES if superspeed else _HIGH_SPEED_BYTES
    diag = Interface(DIAG, 0xFF, 0xFF, 0x30 if superspeed else 0xFF, _bulk_pair(0x81, 0x01, packet))
    ports = tuple(
        Interface(
            number,
            0xFF,
            0xFF if number == NETWORK else 0x00,
            0xFF if number == NETWORK else 0x00,
            (
                Endpoint(0x81 + 2 * number, _INTERRUPT, 10),
                *_bulk_pair(0x80 + 2 * number, 0x01 + number, packet),
            ),
        )
        for number in (NMEA, AT, MODEM, NETWORK)
    )
    return Face(QUECTEL, pid, (diag, *ports), product, superspeed)


def _lone_interface(usb_protocol: int) -> Interface:
    return Interface(0, 0xFF, 0xFF, usb_protocol, _bulk_pair(0x81, 0x01, _HIGH_SPEED_BYTES))


def _bulk_pair(address_in: int, address_out: int, packet: int) -> tuple[Endpoint, Endpoint]:
    return Endpoint(address_in, _BULK, packet), Endpoint(address_out, _BULK, packet)
