"""The USB table: modes, families, interface maps. Ids as modules were seen to show them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.config import Families, load_families
from station.errors import ConfigError
from station.model import BOOT_ROM, DeviceInfo, Endpoint, Interface, Mode, PortPath

PATH = PortPath.parse("1-1.4")
FAMILIES = load_families()


def port(number: int, subclass: int, protocol: int, endpoints: int, cls: int = 0xFF) -> Interface:
    """A bulk pair, and an interrupt IN as the third endpoint."""
    ends = (Endpoint(0x81, 2, 512), Endpoint(0x01, 2, 512), Endpoint(0x82, 3, 10))
    return Interface(number, cls, subclass, protocol, ends[:endpoints])


def device(usb_id: str, *interfaces: Interface) -> DeviceInfo:
    vid, pid = (int(part, 16) for part in usb_id.split(":"))
    return DeviceInfo(PATH, vid, pid, interfaces, 1)


def normal(usb_id: str) -> DeviceInfo:
    """The composition of an RM500Q: DIAG, NMEA, AT, modem, QMI."""
    like_at = (port(number, 0, 0, 3) for number in (1, 2, 3))
    return device(usb_id, port(0, 0xFF, 0x30, 2), *like_at, port(4, 0xFF, 0xFF, 3))


@pytest.mark.parametrize(
    ("usb_id", "mode"),
    [
        ("2c7c:0121", Mode.RUNTIME),
        ("2c7c:0125", Mode.RUNTIME),
        ("2c7c:0800", Mode.RUNTIME),
        ("2c7c:6008", Mode.RUNTIME),
        ("2c7c:6009", Mode.RUNTIME),
        ("2c7c:6005", Mode.FOREIGN),
        ("2c7c:0901", Mode.FOREIGN),
        ("2c7c:7001", Mode.FOREIGN),
        ("2c7c:8101", Mode.FOREIGN),
        ("2ecc:3017", Mode.FOREIGN),
        ("1199:9090", Mode.FOREIGN),
        ("05c6:900e", Mode.CRASHED),
        ("05c6:9006", Mode.CRASHED),
        ("05c6:9025", Mode.UNKNOWN),
        ("2c7c:0999", Mode.UNKNOWN),
        ("046d:c31c", Mode.UNKNOWN),
    ],
)
def test_mode_by_id(usb_id: str, mode: Mode) -> None:
    assert FAMILIES.mode_of(normal(usb_id)) is mode


def test_one_interface_on_the_id_of_a_module() -> None:
    """EG25 in the boot loader's streaming download; RM500Q that keeps a dump (protocol 0x10)."""
    assert FAMILIES.mode_of(device("2c7c:0125", port(0, 0xFF, 0xFF, 2))) is Mode.DLOAD
    assert FAMILIES.mode_of(device("2c7c:0800", port(0, 0xFF, 0x10, 2))) is Mode.CRASHED
    assert FAMILIES.mode_of(device("2c7c:0801", port(0, 0xFF, 0xFF, 2))) is Mode.UNKNOWN
    assert FAMILIES.mode_of(device("2c7c:0125")) is Mode.UNKNOWN


@pytest.mark.parametrize("protocol", [0xFF, 0x10, 0x11, 0x13])
def test_edl_is_one_interface_with_a_bulk_pair(protocol: int) -> None:
    edl = port(0, 0xFF, protocol, 2)
    assert FAMILIES.mode_of(device("05c6:9008", edl)) is Mode.EDL
    assert FAMILIES.family_of(device("05c6:9008", edl)) is None
    assert "{:04x}:{:04x}".format(*BOOT_ROM) == "05c6:9008"
    assert FAMILIES.mode_of(device("05c6:9008", port(0, 0xFF, protocol, 1))) is Mode.UNKNOWN
    assert FAMILIES.mode_of(device("05c6:9008", edl, port(1, 0xFF, 0, 2))) is Mode.UNKNOWN
    assert FAMILIES.mode_of(device("05c6:9008")) is Mode.UNKNOWN


def test_family_of_the_first_modules() -> None:
    ec25, rm500q = (FAMILIES.family_of(normal(i)) for i in ("2c7c:0125", "2c7c:0800"))
    assert ec25 is not None
    assert rm500q is not None
    assert (ec25.name, rm500q.name) == ("ec25", "rm500q")
    for family in (ec25, rm500q):
        assert (family.diag_interface, family.at_interface) == (0, 2)
        assert (family.firehose.zlp, family.firehose.payload_bytes) == (True, 8192)
        assert family.firehose.memory == "nand"
        assert family.chip_identity is True
    assert FAMILIES.family_of(normal("2c7c:6005")) is None


def mbim(usb_id: str) -> DeviceInfo:
    """The MBIM layout: network on 0 and 1, DIAG 3, NMEA 4, AT 5."""
    return device(
        usb_id,
        port(0, 14, 0, 1, cls=2),
        port(1, 0, 2, 2, cls=10),
        port(3, 0xFF, 0x30, 2),
        port(4, 0, 0, 3),
        port(5, 0, 0, 3),
    )


@pytest.mark.parametrize(
    ("info", "diag", "at"),
    [
        (mbim("2c7c:0128"), 3, 5),
        # the table says DIAG 2, which this one does not have
        (mbim("2c7c:0133"), 3, 5),
        # nothing in the table: all from the descriptors
        (mbim("2c7c:0127"), 3, 5),
        (normal("2c7c:0127"), 0, 2),
        # the table says 0 and 2, this composition has neither
        (mbim("2c7c:0125"), 3, 5),
        # an EC25 whose DIAG is ff/ff/ff
        (device("2c7c:0125", port(0, 255, 255, 2), *(port(n, 0, 0, 3) for n in (1, 2, 3))), 0, 2),
        (device("2c7c:0127", port(1, 255, 255, 2), port(2, 0, 0, 3)), 1, 2),
        # nothing that fits
        (device("2c7c:0127", port(0, 1, 1, 1), port(1, 1, 1, 1)), 0, 2),
    ],
)
def test_interface_map(info: DeviceInfo, diag: int, at: int) -> None:
    family = FAMILIES.family_of(info)
    assert family is not None
    assert (family.diag_interface, family.at_interface) == (diag, at)


def test_in_edl_the_caller_may_know_the_family() -> None:
    assert FAMILIES.edl_default.name == "ec25"
    assert FAMILIES.edl_profile(None) == FAMILIES.edl_default
    assert FAMILIES.edl_profile("strange") == FAMILIES.edl_default
    assert FAMILIES.edl_profile("rm500q").name == "rm500q"
    assert FAMILIES.edl_profile("rm520n").chip_identity is False


def test_says_what_a_device_is() -> None:
    assert FAMILIES.what_is(normal("2c7c:6005")).startswith("2c7c:6005, a Quectel module on an ASR")
    assert FAMILIES.what_is(normal("2c7c:0125")).startswith("2c7c:0125, Quectel LTE module")
    assert FAMILIES.what_is(normal("046d:c31c")) == "046d:c31c, unknown to this station"


interfaces = st.builds(
    Interface,
    st.integers(0, 255),
    st.sampled_from([0xFF, 2, 0]),
    st.sampled_from([0xFF, 0]),
    st.sampled_from([0xFF, 0x30, 0]),
    st.lists(
        st.builds(Endpoint, st.integers(0, 255), st.integers(0, 3), st.integers(0, 1024)),
        max_size=4,
    ).map(tuple),
)


@given(
    st.sampled_from([0x2C7C, 0x05C6, 0x1199]),
    st.integers(0, 0xFFFF) | st.sampled_from([0x0125, 0x0800, 0x9008, 0x0127]),
    st.lists(interfaces, max_size=6).map(tuple),
)
def test_any_descriptor_gets_a_mode(vid: int, pid: int, found: tuple[Interface, ...]) -> None:
    info = DeviceInfo(PATH, vid, pid, found, 1)
    mode, family = FAMILIES.mode_of(info), FAMILIES.family_of(info)
    assert mode is not Mode.ABSENT
    assert mode is not Mode.RUNTIME or family is not None
    if mode is Mode.EDL:
        assert found[0].bulk_in is not None
        assert found[0].bulk_out is not None


# --- the file ---------------------------------------------------------------------------------

GOOD = """\
families:
  one:
    title: One
    usb: ["2c7c:0125"]
devices:
  - usb: ["2c7c:0*"]
    mode: foreign
    what: others
  - usb: ["2c7c:01*", "05c6:9008"]
    mode: unknown
    what: nearer others
edl_default: one
"""


def load(folder: Path, text: str) -> Families:
    path = folder / "families.yaml"
    path.write_text(text, encoding="utf-8")
    return load_families(path)


def test_the_nearest_pattern_wins(tmp_path: Path) -> None:
    families = load(tmp_path, GOOD)
    assert families.mode_of(normal("2c7c:0125")) is Mode.RUNTIME
    assert families.mode_of(normal("2c7c:0126")) is Mode.UNKNOWN
    assert families.mode_of(normal("2c7c:0800")) is Mode.FOREIGN


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('["2c7c:0125"]', '["2C7C:0125"]', "4: key 'families.one.usb[0]': a USB id is written"),
        ('["2c7c:0125"]', '["2c7c:01*"]', "4: key 'families.one.usb[0]': a module of a family"),
        ('["2c7c:0125"]', "[12:30]", "4: key 'families.one.usb[0]': unquoted 12:30 is read as"),
        ("05c6:9008", "2c7c:0125", "9: key 'devices[1].usb[1]': 2c7c:0125 is in families.one"),
        ("05c6:9008", "2c7c:01*", "9: key 'devices[1].usb[1]': 2c7c:01* is in devices[1] already"),
        ("edl_default: one", "edl_default: two", "12: key 'edl_default': there is no family 'two'"),
        ("title: One", "titel: One", "2: key 'families.one.title': is missing"),
        ("mode: foreign", "mode: absent", "7: key 'devices[0].mode': must be 'edl', 'crashed'"),
        (
            "    title: One\n",
            "    title: One\n    firehose: {payload_bytes: 8000}\n",
            "4: key 'families.one.firehose.payload_bytes': must be a multiple of 512",
        ),
        (
            "    title: One\n",
            '    title: One\n    exceptions: {"2c7c:0126": {diag: 2}}\n',
            "4: key 'families.one.exceptions.2c7c:0126': is not a USB id of this family",
        ),
        (
            "    title: One\n",
            '    title: One\n    exceptions: {"2c7c:0125": {dieg: 2}}\n',
            "4: key 'families.one.exceptions.2c7c:0125.dieg': is not known here (nearest key: 'di",
        ),
    ],
)
def test_bad_files(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.cause.splitlines()[0].startswith(f"{tmp_path}/families.yaml:{problem}")


def test_only_listed_families_may_be_asked_to_back_themselves_up(tmp_path: Path) -> None:
    sections = FAMILIES.file.families
    assert [n for n, one in sections.items() if one.module_backup] == ["ec25", "rm500q"]
    family = load(tmp_path, GOOD).family_of(normal("2c7c:0125"))
    assert family is not None
    assert family.module_backup is False
