import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import DiagError, Disconnected, StationError, Timeout, UsbBroken
from station.protocols import hdlc
from station.protocols.diag import (
    EDL_SWITCH,
    MAX_READS,
    VERSION_QUERY,
    query_version,
    switch_to_edl,
)
from tests.protocols.script import SILENCE, Host, Module, run

SWITCH = Host(bytes.fromhex("4b650100540f7e"))
ECHO = Module(bytes.fromhex("4b650100540f7e"))
VERSION = Host(bytes.fromhex("7c93497e"))
LOST = Disconnected("gone")


def build_reply(text: bytes) -> bytes:
    return hdlc.encode(bytes.fromhex("7c01 0000 e1000000 ff000000") + text)


def test_the_frames_are_those_of_real_hosts() -> None:
    assert bytes.fromhex("4b650100540f7e") == EDL_SWITCH
    assert bytes.fromhex("7c93497e") == VERSION_QUERY


def test_the_echo_is_success() -> None:
    assert run(switch_to_edl(10), SWITCH, ECHO) is True


@pytest.mark.parametrize("chunk_bytes", [1, 3, 7])
def test_the_echo_may_come_in_pieces(chunk_bytes: int) -> None:
    pieces = [Module(EDL_SWITCH[i : i + chunk_bytes]) for i in range(0, 7, chunk_bytes)]
    assert run(switch_to_edl(10), SWITCH, *pieces) is True


def test_old_bytes_are_drained_and_other_frames_skipped() -> None:
    stale = Module(b"half a log fra")
    noise = Module(b"me\x7e" + hdlc.encode(b"\x10log") + bytes.fromhex("4b650100540e7e"))
    assert run(switch_to_edl(10), stale, SWITCH, noise, ECHO) is True


@pytest.mark.parametrize("error", [LOST, UsbBroken("EPROTO")])
def test_a_module_that_vanishes_has_obeyed(error: StationError) -> None:
    assert run(switch_to_edl(10), SWITCH, error) is False
    assert run(switch_to_edl(10), error) is False  # within the very transfer


def test_a_port_gone_before_the_switch_is_lost() -> None:
    dialogue = switch_to_edl(10)
    dialogue.send(None)
    with pytest.raises(Disconnected):
        dialogue.throw(LOST)


def test_silence_is_answered_by_sending_again_and_ends() -> None:
    assert run(switch_to_edl(10), SWITCH, SILENCE, SWITCH, SILENCE, SWITCH, ECHO) is True
    with pytest.raises(DiagError, match="sent 3 times"):
        run(switch_to_edl(4.5), SWITCH, SILENCE, SWITCH, SILENCE, SWITCH, SILENCE)


def test_a_port_that_takes_nothing_ends_as_well() -> None:
    with pytest.raises(DiagError, match="sent 2 times"):
        run(switch_to_edl(2), Timeout("no OUT"), Timeout("no OUT"))


def test_a_chatty_port_does_not_keep_us_for_ever() -> None:
    noise = Module(hdlc.encode(b"\x10log"))
    with pytest.raises(DiagError):
        run(switch_to_edl(1), SWITCH, *[noise] * MAX_READS)


def test_the_version_is_the_build_string() -> None:
    reply = build_reply(b"MDM9607-BUILD 1.2\0mdm9607\0")
    assert run(query_version(1), VERSION, Module(reply)) == "MDM9607-BUILD 1.2"
    pieces = [Module(reply[i : i + 7]) for i in range(0, len(reply), 7)]
    assert run(query_version(1), VERSION, *pieces) == "MDM9607-BUILD 1.2"


@pytest.mark.parametrize("text", [b"", b"\0x", b"\xff\xfe\0", b"a\nb\0"])
def test_no_version_is_none_and_nothing_else(text: bytes) -> None:
    assert run(query_version(1), VERSION, Module(build_reply(text))) is None


def test_silence_is_no_version() -> None:
    assert run(query_version(1), VERSION, SILENCE) is None


@given(st.binary(max_size=40))
def test_any_body_gives_a_string_or_none(body: bytes) -> None:
    version = run(query_version(1), VERSION, Module(hdlc.encode(b"\x7c" + body)))
    assert version is None or version.isascii()


def test_chatter_instead_of_a_version_is_no_version() -> None:
    noise = Module(hdlc.encode(b"\x10log"))
    assert run(query_version(1), VERSION, *[noise] * MAX_READS) is None
