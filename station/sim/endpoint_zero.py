"""Endpoint 0 of a simulated module: what it answers to control transfers.

Ref: USB 2.0 9.4; USB 3.2 9.4 (SET_SEL, SET_ISOCH_DELAY, U1 and U2); CDC PSTN 1.2 6.3.14.
"""

from station.sim.descriptors import CONFIGURATION, descriptor, dress
from station.sim.port import Face
from station.sim.usbip_wire import Setup

_HALT, _REMOTE_WAKEUP, _U1, _U2 = 0, 1, 48, 49
_WAKES = 0x20
_SEL_BYTES = 6
_REPORT = 0x2200
"""Descriptor type and index of a HID device's report descriptor."""


class EndpointZero:
    """The device state that control transfers read and change; `halted` holds addresses."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._configuration = 0
        self._interfaces = {interface.number for interface in face.interfaces}
        self._endpoints = {e.address for interface in face.interfaces for e in interface.endpoints}
        self.halted: set[int] = set()

    def is_for_module(self, setup: Setup) -> bool:
        """SET_CONTROL_LINE_STATE of an interface there is: the module itself hears of it."""
        asked = (setup.request_type, setup.request, setup.length_bytes)
        return asked == (0x21, 0x22, 0) and setup.index in self._interfaces

    def answer(self, setup: Setup, data: bytes) -> bytes | None:
        """What comes back, empty if nothing is asked for; None is a stall."""
        if setup.request_type & 0x80:
            answer = self._tell(setup)
            return None if answer is None else answer[: setup.length_bytes]
        return b"" if len(data) == setup.length_bytes and self._obey(setup) else None

    def _tell(self, setup: Setup) -> bytes | None:
        match setup.request_type, setup.request:
            case 0x80, 6:
                return descriptor(self._face, setup.value >> 8, setup.value & 0xFF)
            case 0x80, 8:
                return bytes((self._configuration,))
            case 0x80, 0:
                return bytes(2)
            case 0x81, 0 if setup.index in self._interfaces:
                return bytes(2)
            case 0x81, 6 if setup.value == _REPORT:
                return self._face.lie.report
            case 0x82, 0 if setup.index in {0, 0x80} | self._endpoints:
                return bytes((setup.index in self.halted, 0))
            case 0x81, 10 if setup.index in self._interfaces:
                return bytes(1)
            case _:
                return None

    def _obey(self, setup: Setup) -> bool:
        match setup.request_type, setup.request:
            case 0x00, 9:
                return self._configure(setup.value)
            case 0x00, 1 | 3:
                return self._has_feature(setup.value)
            case 0x00, 0x30:
                return self._face.superspeed and setup.length_bytes == _SEL_BYTES
            case 0x00, 0x31:
                return self._face.superspeed
            case 0x01, 11:
                return setup.index in self._interfaces and setup.value == 0
            case 0x02, 1 | 3:
                return self._halt(setup)
            case _:
                return False

    def _configure(self, value: int) -> bool:
        if value not in (0, CONFIGURATION):
            return False
        self._configuration = value
        self.halted.clear()
        return True

    def _has_feature(self, feature: int) -> bool:
        if feature == _REMOTE_WAKEUP:
            return bool(dress(self._face).attributes & _WAKES)
        return self._face.superspeed and feature in (_U1, _U2)

    def _halt(self, setup: Setup) -> bool:
        """CLEAR_FEATURE is 1, SET_FEATURE is 3."""
        if setup.value != _HALT or setup.index not in self._endpoints:
            return False
        (self.halted.add if setup.request == 3 else self.halted.discard)(setup.index)
        return True
