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
    assert heard(side.receive(bytes.fromhex("7c93497e"))) == bytes.fromhex(
        "7c 01 0000 00000000 00000000"  # command, version, reserved, MSM id, model
        "45433235454641523036413036 4d3447 00"  # EC25EFAR06A06M4G
        "06bf 7e"
    )


def test_the_version_query_is_answered() -> None:
    side, referee = diag()
    assert heard(side.receive(bytes.fromhex("0078f07e"))) == bytes.fromhex(
        "00"
        "4e6f762032302032303230 31323a30303a3030"  # Nov 20 2020 12:00:00
        "4e6f762032302032303230 31323a30303a3030"
        "53494d554c415445"  # SIMULATE
        "62e3 7e"
    )
    assert not referee.breaches


def test_other_frames_get_the_error_reply_and_writes_are_breaches() -> None:
    side, referee = diag()
    reset = bytes.fromhex("290200596a7e")
    assert heard(side.receive(reset)) == bytes.fromhex("13290200 27b6 7e")
    assert [breach.where for breach in referee.breaches] == ["diag"]
    spc = bytes.fromhex("41303030303030df8a7e")
    assert heard(side.receive(spc)) == bytes.fromhex("13 41303030303030 7454 7e")
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
