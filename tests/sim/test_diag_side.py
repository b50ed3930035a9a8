import struct

from station.protocols import hdlc
from station.sim import faces
from station.sim.at_side import Running
from station.sim.diag_side import DiagSide
from station.sim.port import Leave, Say, Taken
from station.sim.referee import Referee
from station.sim.timing import Timing

RUNNING = Running("EC25EFAR06A06M4G_01.002.01.002", "EC25EFAR06A06M4G", "EC25", None, None)
EDL = faces.edl_face(None)
SWITCH = bytes.fromhex("4b650100540f7e")


def diag(*, echoes: bool = True, line_state: int = 3) -> tuple[DiagSide, Referee]:
    referee = Referee(tolerant=False)
    side = DiagSide(0, RUNNING, EDL, referee, Timing(), echoes=echoes)
    side.line_state = line_state
    return side, referee


def heard(taken: Taken) -> bytes:
    return b"".join(reaction.data for reaction in taken.reactions if isinstance(reaction, Say))


def test_the_switch_frame_comes_back_and_the_module_leaves() -> None:
    side, referee = diag()
    taken = side.receive(SWITCH)
    assert heard(taken) == SWITCH
    assert taken.reactions[-1] == Leave(EDL, 0.3, 1.5)
    assert heard(side.receive(SWITCH)) == b""
    assert not referee.breaches


def test_the_switch_may_arrive_byte_by_byte() -> None:
    side, _ = diag()
    assert [heard(side.receive(SWITCH[n : n + 1])) for n in range(7)] == [b""] * 6 + [SWITCH]


def test_without_echo_it_only_leaves() -> None:
    taken = diag(echoes=False)[0].receive(SWITCH)
    assert taken.reactions == (Leave(EDL, 0.3, 1.5),)


def test_the_build_id_is_that_of_the_running_firmware() -> None:
    side, _ = diag()
    payload = hdlc.decode(heard(side.receive(bytes.fromhex("7c93497e")))[:-1])
    assert struct.unpack_from("<BB", payload) == (0x7C, 1)
    assert payload[12:] == b"EC25EFAR06A06M4G\0"


def test_the_version_query_is_answered() -> None:
    side, referee = diag()
    assert heard(side.receive(bytes.fromhex("0078f07e")))[0] == 0x00
    assert not referee.breaches


def test_other_frames_get_the_error_reply_and_writes_are_breaches() -> None:
    side, referee = diag()
    reset = bytes.fromhex("290200596a7e")
    assert hdlc.decode(heard(side.receive(reset))[:-1]) == bytes.fromhex("13290200")
    assert [breach.where for breach in referee.breaches] == ["diag"]
    spc = bytes.fromhex("41303030303030df8a7e")
    assert hdlc.decode(heard(side.receive(spc))[:-1]) == b"\x13A000000"
    assert len(referee.breaches) == 1


def test_a_wrong_crc_is_a_breach_and_gets_no_answer() -> None:
    side, referee = diag()
    assert heard(side.receive(bytes.fromhex("4b650100550f7e"))) == b""
    assert len(referee.breaches) == 1
    assert heard(side.receive(SWITCH)) == SWITCH


def test_without_dtr_it_is_silent() -> None:
    side, referee = diag(line_state=0)
    assert side.receive(SWITCH) == Taken()
    assert len(referee.breaches) == 1
