"""Configure, documents and power: every rule broken with literal bytes."""

import json

import pytest

from station.sim.port import Say
from tests.sim.rig import CONFIGURE, HEAD, Rig, document, logs, place, summary

# --- configure --------------------------------------------------------------------------------


def test_the_banner_comes_a_second_after_the_start() -> None:
    (say,) = Rig().side.banner()
    assert say == Say(
        0,
        b'<?xml version="1.0" encoding="UTF-8" ?><data><log value="INFO: one line" /></data>',
        1.0,
    )


def test_configure_is_acknowledged_with_the_payload() -> None:
    rig = Rig()
    rig.send(CONFIGURE)
    (answer,) = rig.answers()
    assert b'value="ACK" rawmode="false"' in answer
    assert b'MaxPayloadSizeToTargetInBytes="8192"' in answer
    assert b'MaxPayloadSizeToTargetInBytesSupported="8192"' in answer


def test_too_large_a_payload_is_refused_with_the_acceptable_one() -> None:
    rig = Rig()
    rig.send(CONFIGURE.replace(b'"8192"', b'"1048576"'))
    log, answer = rig.answers()
    assert b"Host's payload to target size is too large" in log
    assert b'value="NAK"' in answer
    assert b'MaxPayloadSizeToTargetInBytes="8192"' in answer
    assert not rig.breaches


@pytest.mark.parametrize("wrong", [b'"ufs"', b'""', b'"eMMC"'])
def test_other_memory_is_refused(wrong: bytes) -> None:
    assert Rig().ask(CONFIGURE.replace(b'"nand"', wrong)) == "NAK"


@pytest.mark.parametrize("wrong", [b'"0"', b'"-1"', b'"0x2000"', b'""'])
def test_a_payload_that_is_no_number_is_refused(wrong: bytes) -> None:
    assert Rig().ask(CONFIGURE.replace(b'"8192"', wrong)) == "NAK"


@pytest.mark.parametrize("tag", [b"getstorageinfo", b"erase", b"program", b"read"])
def test_nothing_is_done_before_configure(tag: bytes) -> None:
    rig = Rig()
    assert rig.ask(place(tag, 0, 64)) == "NAK"
    assert rig.breaches == [f"{tag.decode()} before configure"]


def test_storage_info_is_json_in_a_log() -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    rig.send(document(b'<getstorageinfo physical_partition_number="0" />'))
    log, answer = rig.answers()
    text = log.split(b"INFO: ")[1].split(b'" />')[0].replace(b"&quot;", b'"')
    info = json.loads(text)["storage_info"]
    assert info["total_blocks"] == 16
    assert info["block_size"] == 131072
    assert info["page_size"] == 2048
    assert info["mem_type"] == "NAND"
    assert summary([answer]) == "ACK"


# --- documents --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (HEAD + b"<nop></nop></data>", "element that does not close itself"),
        (document(b"<nop a='1' />"), "attribute in single quotes"),
        (document(b"<nop /><nop />"), "not one element"),
        (document(b"<nop />") * 2, "more than one XML document"),
        (document(b"<nop />")[:-3], "not whole in one transfer"),
        (b"<data><nop /></data>", "no XML document"),
        (b"\x00\x01\x02", "no XML document"),
        (document(b'<nop a="' + b"x" * 4096 + b'" />'), "4096 fit"),
        (document(b'<nop a="1" a="2" />'), "not well-formed"),
    ],
)
def test_a_document_that_breaks_a_rule_is_a_breach(data: bytes, rule: str) -> None:
    rig = Rig()
    rig.ask(CONFIGURE.replace(b'ZlpAwareHost="1"', b'ZlpAwareHost="0"'))
    assert rig.ask(data) == "NAK"
    (breach,) = rig.breaches
    assert rule in breach


def test_nop_and_unknown_tags_are_acknowledged() -> None:
    rig = Rig()
    assert rig.ask(document(b"<nop />")) == "ACK"
    rig.send(document(b'<getsha256digest start_sector="0" />'))
    answers = rig.answers()
    assert "Ignoring unrecognized tag 'getsha256digest'" in logs(answers)
    assert summary(answers) == "ACK"
    assert not rig.breaches


def test_a_sahara_hello_answer_meets_xml_and_is_no_breach() -> None:
    rig = Rig()
    hello = bytes.fromhex("020000003000000002000000010000000000000000000000") + bytes(24)
    assert rig.ask(hello) == "NAK"
    assert not rig.breaches


# --- power ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["reset", "off", "reset_to_edl"])
def test_power_is_acknowledged_before_the_module_leaves(value: str) -> None:
    rig = Rig()
    rig.send(document(b'<power value="%s" DelayInSeconds="2" />' % value.encode()))
    answers = rig.answers()
    assert summary(answers[:1]) == "ACK"
    assert "bsp_target_reset() 1" in logs(answers)
    assert (rig.side.leaving, rig.side.delay_s) == (value, 2)


@pytest.mark.parametrize("words", [b'value="edl"', b"", b'value="reset" DelayInSeconds="9999"'])
def test_other_power_values_are_refused(words: bytes) -> None:
    rig = Rig()
    assert rig.ask(document(b"<power " + words + b" />")) == "NAK"
    assert rig.side.leaving is None
