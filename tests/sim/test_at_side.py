import pytest

from station.sim.at_side import AtSide, Running
from station.sim.own_backup import OwnBackup
from station.sim.port import Later, Say, Taken
from station.sim.referee import Referee
from station.sim.timing import Timing

RUNNING = Running(
    version="EC25EFAR06A06M4G_01.002.01.002",
    revision="EC25EFAR06A06M4G",
    model="EC25",
    imei="866866040155456",
    serial="D1Q21A8210000391P",
)


def heard(taken: Taken) -> bytes:
    return b"".join(reaction.data for reaction in taken.reactions if isinstance(reaction, Say))


def booted(
    running: Running = RUNNING, *, tolerant: bool = False, noisy: bool = False
) -> tuple[AtSide, Referee]:
    referee = Referee(tolerant=tolerant)
    side = AtSide(2, running, referee, Timing(), noisy=noisy)
    side.line_state = 3
    (later,) = side.boot()
    assert isinstance(later, Later)
    assert later.after_s == 2.0
    urcs = b"".join(say.data for say in later.act() if isinstance(say, Say))
    assert urcs.startswith(b"\r\nRDY\r\n\r\n+CFUN: ")
    return side, referee


def test_without_dtr_it_is_silent_and_writes_it_down() -> None:
    side, referee = booted()
    side.line_state = 2
    assert heard(side.receive(b"AT\r")) == b""
    assert [breach.where for breach in referee.breaches] == ["at"]


def test_before_the_system_is_up_it_is_deaf_without_a_breach() -> None:
    referee = Referee(tolerant=False)
    side = AtSide(2, RUNNING, referee, Timing())
    side.line_state = 3
    assert heard(side.receive(b"AT\r")) == b""
    assert not referee.breaches


def test_some_values_may_come_up_after_the_port() -> None:
    referee = Referee(tolerant=False)
    side = AtSide(2, RUNNING, referee, Timing(), values_s=6.0)
    side.line_state = 3
    (up,) = side.boot()
    assert isinstance(up, Later)
    (known,) = (reaction for reaction in up.act() if isinstance(reaction, Later))
    assert known.after_s == 6.0
    side.receive(b"ATE0\r")
    late = (b"AT+QGMR\r", b"AT+EGMR=0,5\r", b"AT+CFUN?\r")
    assert [heard(side.receive(command)) for command in late] == [b"\r\nERROR\r\n"] * 3
    assert b"EC25" in heard(side.receive(b"ATI\r"))
    assert b"866866040155456" in heard(side.receive(b"AT+CGSN\r"))
    assert known.act() == ()
    assert [heard(side.receive(command)).split(b"\r\n")[1] for command in late] == [
        b"EC25EFAR06A06M4G_01.002.01.002",
        b'+EGMR: "D1Q21A8210000391P"',
        b"+CFUN: 1",
    ]
    assert not referee.breaches


def test_it_echoes_until_told_not_to() -> None:
    side, _ = booted()
    assert heard(side.receive(b"AT\r")) == b"AT\r\r\nOK\r\n"
    assert heard(side.receive(b"ATE0\r")) == b"ATE0\r\r\nOK\r\n"
    assert heard(side.receive(b"AT\r")) == b"\r\nOK\r\n"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (b"AT+CGMM\r", b"\r\nEC25\r\n\r\nOK\r\n"),
        (b"AT+QGMR\r", b"\r\nEC25EFAR06A06M4G_01.002.01.002\r\n\r\nOK\r\n"),
        (b"AT+CGSN\r", b"\r\n866866040155456\r\n\r\nOK\r\n"),
        (b"AT+EGMR=0,7\r", b'\r\n+EGMR: "866866040155456"\r\n\r\nOK\r\n'),
        (b"AT+EGMR=0,5\r", b'\r\n+EGMR: "D1Q21A8210000391P"\r\n\r\nOK\r\n'),
        (b"AT+CFUN?\r", b"\r\n+CFUN: 1\r\n\r\nOK\r\n"),
        (b"AT+QPRTPARA=?\r", b"\r\n+QPRTPARA: (1-4)\r\n\r\nOK\r\n"),
        (b"AT+NOSUCH\r", b"\r\nERROR\r\n"),
        (b"at+cgmm\r", b"\r\nEC25\r\n\r\nOK\r\n"),
    ],
)
def test_listed_reads(command: bytes, reply: bytes) -> None:
    side, referee = booted()
    side.receive(b"ATE0\r")
    assert heard(side.receive(command)) == reply
    assert not referee.breaches


def test_the_backup_status_has_fourteen_numbers() -> None:
    side, _ = booted()
    side.receive(b"ATE0\r")
    line = heard(side.receive(b"AT+QPRTPARA=4\r")).split(b"\r\n")[1]
    assert len(line.removeprefix(b"+QPRTPARA: ").split(b",")) == 14


def count(side: AtSide) -> bytes:
    return heard(side.receive(b"AT+QPRTPARA=4\r")).split(b"\r\n")[1]


def test_a_backup_takes_its_time_and_is_counted() -> None:
    side, referee = booted()
    side.receive(b"ATE0\r")
    assert count(side).startswith(b"+QPRTPARA: 1,0,")
    taken = side.receive(b"AT+QPRTPARA=1\r")
    later, answer = taken.reactions
    assert isinstance(later, Later)
    assert isinstance(answer, Say)
    assert (answer.data, later.after_s) == (b"\r\nOK\r\n", Timing().backup_s)
    assert answer.after_s > later.after_s > 1
    assert side.receive(b"AT+QPRTPARA=4\r") == Taken()
    later.act()
    assert count(side).startswith(b"+QPRTPARA: 2,0,")
    assert not referee.breaches


def test_a_restore_is_a_breach_and_counted_where_it_is_tolerated() -> None:
    side, referee = booted(tolerant=True)
    side.receive(b"ATE0\r")
    assert heard(side.receive(b"AT+QPRTPARA=3\r")) == b"\r\nOK\r\n"
    assert count(side).startswith(b"+QPRTPARA: 1,1,")
    assert [breach.what for breach in referee.breaches] == [
        "AT+QPRTPARA=3 puts an old calibration back"
    ]


def test_a_module_that_offers_no_backup_objects_to_being_told() -> None:
    referee = Referee(tolerant=False)
    backup = OwnBackup(referee, offered=False)
    assert [backup.answer(value) for value in ("?", "4", "1")] == [None] * 3
    assert [breach.what for breach in referee.breaches] == ["AT+QPRTPARA=1, never offered"]


def test_an_unsolicited_line_lands_in_the_first_long_reply() -> None:
    side, _ = booted()
    side.receive(b"ATE0\r")
    revision = b"EC25\r\nRevision: EC25EFAR06A06M4G\r\n\r\nOK\r\n"
    assert heard(side.receive(b"ATI\r")) == (
        b"\r\nQuectel\r\n\r\n+QIND: SMS DONE\r\n\r\n" + revision
    )
    assert heard(side.receive(b"ATI\r")) == b"\r\nQuectel\r\n" + revision


def test_a_chained_command_gets_one_result() -> None:
    side, _ = booted()
    side.receive(b"ATE0\r")
    assert heard(side.receive(b"AT+CGMM;+CSUB\r")).endswith(b"SubEdition: V01\r\n\r\nOK\r\n")


@pytest.mark.parametrize(
    "command",
    [
        b'AT+EGMR=1,7,"866866040155456"\r',
        b"AT+CFUN=1,1\r",
        b"AT+QPRTPARA=3\r",
        b'AT+QCFG="usbcfg",0x2C7C\r',
        b"AT+CGMM;+CFUN=5\r",
        b"AT+QDOWNLOAD=1\r",
    ],
)
def test_every_write_is_a_breach(command: bytes) -> None:
    side, referee = booted()
    side.receive(b"ATE0\r")
    assert heard(side.receive(command)).endswith(b"ERROR\r\n")
    assert [breach.where for breach in referee.breaches] == ["at"]


def test_a_tolerant_module_says_ok_to_a_write_and_still_writes_it_down() -> None:
    side, referee = booted(tolerant=True)
    side.receive(b"ATE0\r")
    assert heard(side.receive(b"AT+CFUN=1\r")) == b"\r\nOK\r\n"
    assert len(referee.breaches) == 1


def test_without_calibration_there_is_no_imei() -> None:
    lost = Running("V", "V", "EC25", imei=None, serial=None, functionality=5)
    side, _ = booted(lost)
    side.receive(b"ATE0\r")
    for command in (b"AT+CGSN\r", b"AT+EGMR=0,7\r", b"AT+EGMR=0,5\r"):
        assert heard(side.receive(command)) == b"\r\nERROR\r\n"
    assert heard(side.receive(b"AT+CFUN?\r")) == b"\r\n+CFUN: 5\r\n\r\nOK\r\n"


def test_noise_echoes_always_interrupts_always_and_cuts_transfers() -> None:
    side, _ = booted(noisy=True)
    side.receive(b"ATE0\r")
    taken = side.receive(b"AT+CGSN\r")
    assert heard(taken) == (
        b"AT+CGSN\r\r\n866866040155456\r\n\r\n+QIND: SMS DONE\r\n\r\n\r\nOK\r\n"
    )
    assert max(len(say.data) for say in taken.reactions if isinstance(say, Say)) == 7


def test_an_endless_line_is_a_breach_not_a_leak() -> None:
    side, referee = booted()
    side.receive(b"A" * 3000)
    assert len(referee.breaches) == 1
