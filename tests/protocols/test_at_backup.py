"""The module's own backup, byte for byte."""

import pytest

from station.errors import AtError, AtSilent
from station.protocols.at import AtChannel
from station.protocols.at_backup import BackupCount, back_up, check_offer, read_count
from tests.protocols.script import SILENCE, Host, Module, run

OFFER = Host(b"AT+QPRTPARA=?\r")
COUNT = Host(b"AT+QPRTPARA=4\r")
ERROR = Module(b"\r\nERROR\r\n")


def in_step() -> AtChannel:
    channel = AtChannel()
    run(channel.synchronise(1), Host(b"ATE0\r"), Module(b"ATE0\r\r\nOK\r\n"))
    return channel


def told(line: str) -> Module:
    return Module(b"\r\n+QPRTPARA: " + line.encode() + b"\r\n\r\nOK\r\n")


def test_a_backup_between_two_counts() -> None:
    channel = in_step()
    run(check_offer(channel, 1), OFFER, told("(1-4)"))
    before = run(read_count(channel, 1), COUNT, told("1,0,16,0,0,0,0,0,0,0,0,0,0,0"))
    urc = Module(b"\r\n+QIND: PB DONE\r\n")
    run(back_up(channel, 60), Host(b"AT+QPRTPARA=1\r"), urc, Module(b"\r\nOK\r\n"))
    after = run(read_count(channel, 1), COUNT, told("2,0,16,0,0,0,0,0,0,0,0,0,0,0"))
    assert (before, after) == (BackupCount(1, 0), BackupCount(2, 0))


@pytest.mark.parametrize("offer", ["(1-4)", "(1,3,4)", "(1, 4)", "(1-4,11,13,14)", "(0 - 4)"])
def test_what_offers_1_and_4(offer: str) -> None:
    run(check_offer(in_step(), 1), OFFER, told(offer))


@pytest.mark.parametrize("offer", ["(3-4)", "(1,3)", "(11,13,14)", "()", "1-4", "(1-4"])
def test_what_does_not(offer: str) -> None:
    with pytest.raises(AtError, match="1 and 4 are not offered"):
        run(check_offer(in_step(), 1), OFFER, told(offer))


def test_a_refusal_and_a_bare_ok_are_no_offer() -> None:
    with pytest.raises(AtError, match="ERROR"):
        run(check_offer(in_step(), 1), OFFER, ERROR)
    with pytest.raises(AtError, match="not offered"):
        run(check_offer(in_step(), 1), OFFER, Module(b"\r\nOK\r\n"))


@pytest.mark.parametrize("counts", ["7,2", "7,2,0", "7,2,16,0,0,0,0,0,0,0,0,0,0,3"])
def test_the_first_two_counts_are_the_same_everywhere(counts: str) -> None:
    assert run(read_count(in_step(), 1), COUNT, told(counts)) == BackupCount(7, 2)


@pytest.mark.parametrize("counts", ["7", "-1,0", "a,b", "7;2", "1234567890,0"])
def test_what_holds_no_counts_is_named(counts: str) -> None:
    with pytest.raises(AtError, match="holds no counts"):
        run(read_count(in_step(), 1), COUNT, told(counts))


def test_a_backup_that_is_refused_or_never_answered() -> None:
    with pytest.raises(AtError, match="=1 was answered ERROR"):
        run(back_up(in_step(), 1), Host(b"AT+QPRTPARA=1\r"), ERROR)
    with pytest.raises(AtSilent, match="=1"):
        run(back_up(in_step(), 1), Host(b"AT+QPRTPARA=1\r"), SILENCE)
