import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import AtError, AtSilent, Bug, Disconnected, StationError
from station.protocols.at import (
    BACK_UP,
    COMMANDS,
    READS,
    AtChannel,
    ModuleIdentity,
    Reply,
    read_identity,
)
from station.protocols.at_lines import format_reply
from station.protocols.dialogue import Dialogue, Receive, Send
from tests.protocols.script import SILENCE, Host, Module, Step, run

ATE0 = Host(b"ATE0\r")
ECHOED = Module(b"ATE0\r\r\nOK\r\n")
OK = Module(b"\r\nOK\r\n")
ATI = Host(b"ATI\r")
ATI_ANSWER = Module(b"\r\nQuectel\r\nEC25\r\nRevision: EC25EFAR06A06M4G\r\n\r\nOK\r\n")
GMR = Host(b"AT+QGMR\r")
IMEI = "863436050940776"


def says(*lines: str) -> Module:
    return Module(format_reply(lines))


def in_step() -> AtChannel:
    channel = AtChannel()
    run(channel.synchronise(1), ATE0, ECHOED)
    return channel


def ask(command: str, *steps: Step) -> Reply:
    return run(in_step().ask(command, 1), *steps)


# --- in step ----------------------------------------------------------------------------------


def test_a_new_channel_switches_the_echo_off_first() -> None:
    channel = AtChannel()
    reply = run(channel.ask("AT+QGMR", 1), ATE0, ECHOED, GMR, says("EC25EFAR06A06M4G_01.002"))
    assert reply == Reply(("EC25EFAR06A06M4G_01.002",), "OK")
    assert run(channel.ask("ATI", 1), ATI, ATI_ANSWER).lines[0] == "Quectel"


def test_without_echo_only_silence_shows_that_nothing_is_left_over() -> None:
    late = Module(b"\r\nOTHER_BUILD\r\n\r\nOK\r\n")
    steps: list[Step] = [ATE0, late, OK, SILENCE, GMR, says("BUILD")]
    channel = AtChannel()
    assert run(channel.ask("AT+QGMR", 1), *steps).lines == ("BUILD",)
    assert "OTHER_BUILD" in channel.urcs


def test_an_echo_ends_the_wait_for_late_answers() -> None:
    late = Module(b"\r\nOTHER_BUILD\r\n\r\nOK\r\nATE0\r\r\nOK\r\n")
    assert run(AtChannel().ask("AT+QGMR", 1), ATE0, late, GMR, says("BUILD")).lines == ("BUILD",)


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    channel = in_step()
    with pytest.raises(AtSilent, match=r"AT\+QGMR"):
        run(channel.ask("AT+QGMR", 1), GMR, SILENCE)
    late = says("EC25EFAR06A06M4G_01.002")
    steps: list[Step] = [ATE0, late, OK, SILENCE, Host(b"AT+CGSN\r"), says(IMEI)]
    assert run(channel.ask("AT+CGSN", 1), *steps).lines == (IMEI,)


def test_what_waits_before_the_question_is_no_answer() -> None:
    channel = in_step()
    stale = Module(b"\r\nSTRANGE LINE\r\n\r\nERROR\r\n")
    assert run(channel.ask("AT+QGMR", 1), stale, GMR, says("BUILD")).lines == ("BUILD",)
    assert list(channel.urcs) == ["STRANGE LINE", "ERROR"]


def test_a_refusal_keeps_in_step() -> None:
    channel = in_step()
    with pytest.raises(AtError, match=r"AT\+QGMR was answered ERROR"):
        run(channel.ask("AT+QGMR", 1), GMR, Module(b"\r\nERROR\r\n"))
    assert run(channel.ask("ATI", 1), ATI, ATI_ANSWER).final == "OK"


def test_silence_is_named() -> None:
    with pytest.raises(AtSilent, match="ATE0"):
        run(AtChannel().ask("ATI", 1), ATE0, SILENCE)
    with pytest.raises(AtSilent, match="does not take ATE0"):
        run(AtChannel().ask("ATI", 1), SILENCE)
    with pytest.raises(Disconnected):
        run(AtChannel().ask("ATI", 1), ATE0, Disconnected("gone"))


# --- one question -----------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_bytes", [1, 7, 47])
def test_echo_urcs_and_pieces(chunk_bytes: int) -> None:
    data = b"\r\nRDY\r\n\r\n+QUSIM: 1\r\nATI\r\r\nQuectel\r\n+CPIN: READY\r\nEC25\r\n\r\nOK\r"
    pieces = [Module(data[i : i + chunk_bytes]) for i in range(0, len(data), chunk_bytes)]
    reply = ask("ATI", ATI, *pieces)
    assert reply == Reply(("Quectel", "EC25"), "OK", ("RDY", "+QUSIM: 1", "+CPIN: READY"))


def test_urcs_between_question_and_answer_are_told_apart() -> None:
    data = b"\r\nRDY\r\n\r\n+QIND: PB DONE\r\n\r\n+CFUN: 5\r\n\r\nOK\r\n"
    reply = ask("AT+CFUN?", Host(b"AT+CFUN?\r"), Module(data))
    assert reply == Reply(("+CFUN: 5",), "OK", ("RDY", "+QIND: PB DONE"))


@pytest.mark.parametrize(
    "final",
    ["ERROR", "+CME ERROR: 4", "+CMS ERROR: 302", "NO CARRIER", "NO ANSWER", "BUSY", "CONNECT"],
)
def test_every_other_final_code_is_an_error_that_names_it(final: str) -> None:
    with pytest.raises(AtError) as caught:
        ask("AT+QGMR", GMR, Module(format_reply([], final)))
    assert caught.value.cause == f"AT+QGMR was answered {final}"


@pytest.mark.parametrize(
    "command",
    [
        'AT+EGMR=1,7,"863436050940776"',
        "AT+QPRTPARA=2",
        "AT+QPRTPARA=3",
        "AT+QPRTPARA=13",
        "AT+QPRTPARA=1;+QPRTPARA=3",
        "AT+CFUN=1,1",
        "ATI\rAT",
        "",
    ],
)
def test_only_what_is_listed_can_be_sent(command: str) -> None:
    with pytest.raises(Bug):
        next(AtChannel().ask(command, 1))


def test_the_commands_are_these_and_one_of_them_writes() -> None:
    assert (*READS, BACK_UP) == COMMANDS
    assert BACK_UP == "AT+QPRTPARA=1"
    assert READS == (
        "ATE0",
        "ATI",
        "AT+QGMR",
        "AT+CGSN",
        "AT+EGMR=0,7",
        "AT+EGMR=0,5",
        "AT+CFUN?",
        "AT+QPRTPARA=?",
        "AT+QPRTPARA=4",
    )


def test_endless_answers_are_cut() -> None:
    with pytest.raises(AtError, match="more than 64 lines"):
        ask("ATI", ATI, Module(b"chatter\r\n" * 64))
    with pytest.raises(AtError, match="more than 64 lines"):
        run(AtChannel().synchronise(1), ATE0, Module(b"chatter\r\n" * 64))
    with pytest.raises(AtError, match="no whole AT line"):
        ask("ATI", ATI, *[Module(b"x")] * 256)


# --- identity ---------------------------------------------------------------------------------

CGSN = Host(b"AT+CGSN\r")
EGMR_IMEI = Host(b"AT+EGMR=0,7\r")
EGMR_SERIAL = Host(b"AT+EGMR=0,5\r")
CFUN = Host(b"AT+CFUN?\r")
ERROR = Module(b"\r\nERROR\r\n")


def test_a_whole_identity() -> None:
    steps: list[Step] = [
        *(ATE0, ECHOED, ATI, ATI_ANSWER),
        *(GMR, says("EC25EFAR06A06M4G_01.002.01.002")),
        *(CGSN, says(IMEI)),
        *(EGMR_SERIAL, says('+EGMR: "D1Q21A8210000391P"')),
        *(CFUN, Module(b"\r\n+CFUN: 1\r\n\r\n+CFUN: 5\r\n\r\nOK\r\n")),
    ]
    assert run(read_identity(AtChannel(), 1), *steps) == ModuleIdentity(
        manufacturer="Quectel",
        model="EC25",
        revision="EC25EFAR06A06M4G",
        firmware="EC25EFAR06A06M4G_01.002.01.002",
        imei=IMEI,
        serial="D1Q21A8210000391P",
        functionality=5,
    )


def identity(ati: Module, *, build: Module, imei: list[Step], cfun: Module) -> ModuleIdentity:
    steps: list[Step] = [ATE0, ECHOED, ATI, ati, GMR, build, *imei, EGMR_SERIAL, ERROR, CFUN, cfun]
    return run(read_identity(AtChannel(), 1), *steps)


def test_labelled_answers_and_the_vendor_form_of_the_imei() -> None:
    ati = says("Manufacturer: SIMCOM INCORPORATED", "Model: SIMCOM_SIM7600G-H", "Revision: V2.0")
    vendor: list[Step] = [CGSN, ERROR, EGMR_IMEI, says('+EGMR: "866355057849136"')]
    assert identity(ati, build=ERROR, imei=vendor, cfun=ERROR) == ModuleIdentity(
        manufacturer="SIMCOM INCORPORATED",
        model="SIMCOM_SIM7600G-H",
        revision="V2.0",
        imei="866355057849136",
    )


@pytest.mark.parametrize("answer", [says(), says(""), says("no imei"), says("12345"), ERROR])
def test_what_the_module_does_not_say_is_none(answer: Module) -> None:
    imei: list[Step] = [CGSN, answer, EGMR_IMEI, answer]
    assert identity(says(), build=says(), imei=imei, cfun=says("+CFUN: ?")) == ModuleIdentity()


def test_an_invalid_imei_is_reported_as_it_is() -> None:
    zeros: list[Step] = [CGSN, says("000000000000000")]
    assert identity(says(), build=ERROR, imei=zeros, cfun=ERROR).imei == "0" * 15


def test_a_damaged_build_is_no_build() -> None:
    damaged = Module(b"\r\nEC25\xffEFAR\r\n\r\nOK\r\n")
    imei: list[Step] = [CGSN, says(IMEI)]
    assert identity(says(), build=damaged, imei=imei, cfun=ERROR).firmware is None


def test_one_silent_question_is_survived_a_silent_port_is_not() -> None:
    start: list[Step] = [ATE0, ECHOED, ATI, ATI_ANSWER, GMR, SILENCE, ATE0]
    rest: list[Step] = [CGSN, says(IMEI), EGMR_SERIAL, ERROR, CFUN, ERROR]
    late = says("EC25EFAR06A06M4G_01.002.01.002")
    found = run(read_identity(AtChannel(), 1), *start, late, OK, SILENCE, *rest)
    assert (found.firmware, found.imei) == (None, IMEI)
    with pytest.raises(AtSilent):
        run(read_identity(AtChannel(), 1), *start, SILENCE)


def test_a_module_that_refuses_ati_is_an_error() -> None:
    with pytest.raises(AtError, match="ATI"):
        run(read_identity(AtChannel(), 1), ATE0, ECHOED, ATI, ERROR)


@given(st.lists(st.sampled_from([b"OK", b"+CFUN: ", b"ATE0", b"\r\n", b"ERROR"]) | st.binary()))
def test_whatever_a_module_says_only_reads_are_sent(said: list[bytes]) -> None:
    answers = iter(said)
    dialogue: Dialogue[ModuleIdentity] = read_identity(AtChannel(), 1)
    try:
        intent = next(dialogue)
        while True:
            if isinstance(intent, Send):
                assert intent.data[:-1].decode() in READS
            answer = next(answers, None) if isinstance(intent, Receive) else b""
            intent = dialogue.throw(SILENCE) if answer is None else dialogue.send(answer)
    except (StopIteration, StationError):
        return
