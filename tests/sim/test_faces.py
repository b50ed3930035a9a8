import base64

from station.model import Interface
from station.sim import faces

EC25_AU_IN_EDL = base64.b64decode(
    "EgEAAgAAAEDGBQiQAAABAgABCQIgAAEBAIABCQQAAAL///8ABwWBAgACAAcFAQIAAgA="
)
"""Device and configuration descriptor as recorded; its endpoints have 512 byte packets."""


def interface_bytes(interface: Interface) -> bytes:
    kind = (interface.usb_class, interface.usb_subclass, interface.usb_protocol)
    head = bytes((9, 4, interface.number, 0, len(interface.endpoints), *kind, 0))
    return head + b"".join(
        bytes((7, 5, e.address, e.transfer)) + e.max_packet_bytes.to_bytes(2, "little") + b"\0"
        for e in interface.endpoints
    )


def test_edl_has_the_recorded_descriptor() -> None:
    face = faces.edl_face("QUSB_BULK_CID:0410_SN:0AA94EFD")
    assert EC25_AU_IN_EDL[8:12] == face.vid.to_bytes(2, "little") + face.pid.to_bytes(2, "little")
    (interface,) = face.interfaces
    assert EC25_AU_IN_EDL.endswith(interface_bytes(interface))
    assert not face.superspeed


def test_normal_mode_has_the_known_interface_map() -> None:
    face = faces.runtime_face(0x0125, "EC25", superspeed=False)
    assert [i.number for i in face.interfaces] == [0, 1, 2, 3, 4]
    assert [len(i.endpoints) for i in face.interfaces] == [2, 3, 3, 3, 3]
    assert [i.usb_subclass for i in face.interfaces] == [0xFF, 0, 0, 0, 0xFF]
    addresses = [e.address for i in face.interfaces for e in i.endpoints]
    assert len(set(addresses)) == len(addresses)
    assert all(i.bulk_in and i.bulk_out for i in face.interfaces)


def test_rm500q_is_superspeed_in_normal_mode_only() -> None:
    face = faces.runtime_face(0x0800, "RM500Q-GL", superspeed=True)
    assert face.superspeed
    assert face.interfaces[0].usb_protocol == 0x30
    assert {
        e.max_packet_bytes for i in face.interfaces for e in i.endpoints if e.transfer == 2
    } == {1024}
    assert faces.edl_face(None, 0x11).interfaces[0].usb_protocol == 0x11


def test_a_crashed_module_shows_another_id() -> None:
    face = faces.crashed_face("QUSB_BULK_SN:0AA94EFD")
    assert (face.vid, face.pid) == (0x05C6, 0x900E)
