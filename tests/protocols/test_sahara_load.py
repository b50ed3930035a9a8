from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import (
    Bug,
    Crashed,
    Disconnected,
    ImageRefused,
    ProgrammerRejected,
    SaharaError,
    StationError,
    Timeout,
)
from station.protocols import sahara
from station.protocols.dialogue import BytesSource, Notice, Progress, Receive, SendSpan
from station.protocols.sahara import Status, load_programmer
from station.protocols.sahara.load import MAX_REQUESTS
from tests.protocols.script import SILENCE, Host, Module, Step, run

IMAGE = b"\x7fELF\x01\x01\x01".ljust(0x34, b"\0") + Random(1).randbytes(0x43600 - 0x34)
PROGRAMMER = BytesSource("prog_nand_firehose_9x55.mbn", IMAGE)
HELLO = sahara.Hello(2, 1, 0x400, 0)
ANSWER = Host(bytes.fromhex("020000003000000002000000010000000000000000000000" + "00" * 24), False)
END = Module(bytes.fromhex("04000000 10000000 0d000000 00000000"))
DONE = Host(bytes.fromhex("05000000 08000000"))
DONE_RESP = Module(bytes.fromhex("06000000 0c000000 01000000"))

RECORDED = [
    (0, 0x34),
    (0x34, 0x80),
    (0x1000, 0x1000),
    (0x2000, 0x9D0),
    *((offset, 0x1000) for offset in range(0x3000, 0x2A000, 0x1000)),
    (0x2A000, 0x5A8),
    *((offset, 0x1000) for offset in range(0x2A600, 0x43600, 0x1000)),
]
"""As SDX24 and SDX55 boot ROMs ask for a 32-bit ELF."""


def asked(offset: int, length: int, *, wide: bool = False) -> Module:
    return Module(sahara.encode(sahara.ReadData(13, offset, length, wide)))


def ended(status: int, image_id: int = 13) -> Module:
    return Module(sahara.encode(sahara.EndImage(image_id, status)))


def served(offset: int, length: int) -> Host:
    return Host(IMAGE[offset : offset + length], zlp=False)


@pytest.mark.parametrize("wide", [False, True])
def test_the_recorded_order_is_served_byte_for_byte(wide: bool) -> None:
    reads: list[Step] = []
    for offset, length in RECORDED:
        reads += [asked(offset, length, wide=wide), served(offset, length)]
    shown: list[Notice | Progress] = []
    result = run(
        load_programmer(PROGRAMMER, HELLO, 1), ANSWER, *reads, END, DONE, DONE_RESP, shown=shown
    )
    sent_bytes = sum(length for _, length in RECORDED)
    assert result == sahara.LoadResult(13, len(RECORDED), sent_bytes, b"")
    assert shown[0] == Progress(0x34, len(IMAGE))
    assert shown[-1] == Progress(sent_bytes, len(IMAGE))


def test_one_request_is_one_transfer_without_zero_length_packet() -> None:
    first = sahara.ReadData(13, 0, 0x1000)
    dialogue = load_programmer(PROGRAMMER, sahara.Requested(first), 2)
    assert next(dialogue) == SendSpan(PROGRAMMER, 0, 0x1000, 0x1000, zlp=False, timeout_s=2)


def test_a_request_that_came_with_the_greeting_is_served_first() -> None:
    greeting = sahara.Requested(sahara.ReadData(13, 0, 0x34))
    run(load_programmer(PROGRAMMER, greeting, 1), served(0, 0x34), END, DONE, DONE_RESP)


@pytest.mark.parametrize(("asked_mode", "answered"), [(0, 0), (1, 1), (3, 0), (9, 0)])
def test_hello_is_answered_with_its_mode_when_it_can_load(asked_mode: int, answered: int) -> None:
    answer = Host(ANSWER.data[:20] + bytes([answered, 0, 0, 0]) + bytes(24))
    hello = replace(HELLO, mode=asked_mode)
    run(load_programmer(PROGRAMMER, hello, 1), answer, END, DONE, DONE_RESP)


@pytest.mark.parametrize(("version", "answered"), [(1, 1), (2, 2), (3, 2)])
def test_hello_is_answered_with_no_more_than_its_version(version: int, answered: int) -> None:
    answer = Host(
        bytes.fromhex(f"02000000 30000000 0{answered}000000 01000000 00000000 00000000") + bytes(24)
    )
    hello = replace(HELLO, version=version)
    run(load_programmer(PROGRAMMER, hello, 1), answer, END, DONE, DONE_RESP)


AGAIN = Module(sahara.encode(HELLO))


def test_hello_twice_of_one_that_took_the_answer() -> None:
    steps: list[Step] = [ANSWER, AGAIN, asked(0, 0x34), served(0, 0x34), END, DONE, DONE_RESP]
    assert run(load_programmer(PROGRAMMER, HELLO, 1), *steps).requests == 1


def test_hello_twice_of_one_that_waits_for_an_answer() -> None:
    steps: list[Step] = [
        ANSWER,
        AGAIN,
        SILENCE,
        ANSWER,
        asked(0, 0x34),
        served(0, 0x34),
        END,
        DONE,
        DONE_RESP,
    ]
    assert run(load_programmer(PROGRAMMER, HELLO, 1), *steps).requests == 1


@pytest.mark.parametrize("then", [AGAIN, Module(b"<?xml version")], ids=["hello", "xml"])
def test_hello_without_end_is_an_error(then: Module) -> None:
    with pytest.raises(SaharaError):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, AGAIN, then)
    with pytest.raises(SaharaError):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, AGAIN, SILENCE, ANSWER, then)
    with pytest.raises(SaharaError):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, END, DONE, AGAIN)


def test_the_banner_behind_done_is_handed_over() -> None:
    glued = Module(DONE_RESP.data + b"<?xml version")
    result = run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, END, DONE, glued)
    assert result.leftover == b"<?xml version"


def test_packets_may_come_in_pieces_and_with_empty_reads() -> None:
    data = asked(0, 0x34).data
    pieces = [Module(data[i : i + 1]) for i in range(len(data))]
    steps: list[Step] = [ANSWER, Module(b""), *pieces, served(0, 0x34), END, DONE, DONE_RESP]
    run(load_programmer(PROGRAMMER, HELLO, 1), *steps)


@pytest.mark.parametrize("image_id", [7, 13, 21])
def test_done_pending_is_enough_for_programmers(image_id: int) -> None:
    pending = Module(bytes.fromhex("06000000 0c000000 00000000"))
    run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, ended(0, image_id), DONE, pending)


@pytest.mark.parametrize(("image_id", "status"), [(5, 0), (13, 2)])
def test_done_with_more_to_come_is_refused(image_id: int, status: int) -> None:
    answer = Module(sahara.encode(sahara.DoneResponse(status)))
    with pytest.raises(ImageRefused):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, ended(0, image_id), DONE, answer)


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 0),
        (0, 0x80001),
        (len(IMAGE), 1),
        (len(IMAGE) - 1, 2),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (2**64 - 1, 2**64 - 1),
    ],
)
def test_requests_outside_the_image_are_errors(offset: int, length: int) -> None:
    with pytest.raises(SaharaError, match=r"prog_nand_firehose_9x55\.mbn"):
        run(
            load_programmer(PROGRAMMER, HELLO, 1),
            ANSWER,
            asked(offset, length, wide=offset > 2**31),
        )


def test_the_last_byte_is_inside() -> None:
    last = len(IMAGE) - 1
    steps: list[Step] = [ANSWER, asked(last, 1), served(last, 1), END, DONE, DONE_RESP]
    run(load_programmer(PROGRAMMER, HELLO, 1), *steps)


@pytest.mark.parametrize(("length", "allowed"), [(len(IMAGE), 64), (1, MAX_REQUESTS)])
def test_a_boot_rom_that_asks_without_end_is_stopped(length: int, allowed: int) -> None:
    spans = 0

    def ask_for_ever() -> None:
        nonlocal spans
        dialogue = load_programmer(PROGRAMMER, HELLO, 1)
        intent = next(dialogue)
        while True:
            spans += isinstance(intent, SendSpan)
            wants = isinstance(intent, Receive)
            intent = dialogue.send(asked(0, length).data if wants else None)

    with pytest.raises(SaharaError, match="without end"):
        ask_for_ever()
    assert spans == allowed


@pytest.mark.parametrize("status", [0x21, 0x22, 0x23, 0x25, 0x26])
def test_secure_boot_says_the_package_is_wrong(status: int) -> None:
    with pytest.raises(ProgrammerRejected) as caught:
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, ended(status))
    assert Status.describe(status) in caught.value.cause
    assert PROGRAMMER.name in caught.value.cause


@pytest.mark.parametrize("status", [0x0C, 0x0D, 0x16, 0x17, 0x28])
def test_trouble_on_the_wire_may_pass(status: int) -> None:
    end = Module(bytes.fromhex("04000000 10000000 0d000000") + bytes([status, 0, 0, 0]))
    with pytest.raises(SaharaError) as caught:
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, asked(0, 8), served(0, 8), end)
    assert caught.value.retryable
    assert Status.describe(status) in caught.value.cause
    assert PROGRAMMER.name in caught.value.cause


@pytest.mark.parametrize("status", [1, 0x14, 0x15, 0x18, 0x27, 0x29, 0xFFFFFFFF])
def test_any_other_status_is_named(status: int) -> None:
    with pytest.raises(ImageRefused) as caught:
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, asked(0, 8), served(0, 8), ended(status))
    assert Status.describe(status) in caught.value.cause


@pytest.mark.parametrize("wide", [False, True])
def test_a_memory_dump_is_a_crash(wide: bool) -> None:
    offer = Module(sahara.encode(sahara.MemoryDebug(0, 8, wide)))
    with pytest.raises(Crashed):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, offer)


def test_silence_names_its_place() -> None:
    with pytest.raises(SaharaError, match="before it asked for prog_"):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, SILENCE)
    with pytest.raises(SaharaError, match=r"after 8 bytes of prog_.* in 1 requests"):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, asked(0, 8), served(0, 8), SILENCE)
    with pytest.raises(SaharaError, match="did not take the 8 bytes at 0"):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, asked(0, 8), Timeout("OUT"))
    with pytest.raises(SaharaError, match="after DONE"):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, END, DONE, SILENCE)


@pytest.mark.parametrize(
    "stray",
    [
        Module(sahara.encode(sahara.Done())),
        Module(b"<?xml version"),
        Module(bytes(8)),
    ],
    ids=["done", "xml", "zeros"],
)
def test_what_does_not_belong_there_is_an_error(stray: Module) -> None:
    with pytest.raises(SaharaError):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, stray)
    with pytest.raises(SaharaError):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, END, DONE, stray)


def test_a_lost_module_stays_lost() -> None:
    with pytest.raises(Disconnected):
        run(load_programmer(PROGRAMMER, HELLO, 1), ANSWER, Disconnected("gone"))


def test_nothing_is_loaded_over_a_running_programmer() -> None:
    with pytest.raises(Bug):
        run(load_programmer(PROGRAMMER, sahara.ProgrammerRunning(b""), 1))


PACKETS = st.one_of(
    st.builds(
        sahara.ReadData,
        image_id=st.just(13),
        offset_bytes=st.integers(0, len(IMAGE) + 5),
        length_bytes=st.integers(0, 0x1100),
        wide=st.booleans(),
    ),
    st.builds(sahara.EndImage, st.integers(0, 22), st.integers(0, 0x30)),
    st.builds(sahara.DoneResponse, st.integers(0, 3)),
    st.just(HELLO),
).map(sahara.encode)


@given(st.lists(PACKETS | st.binary(max_size=60), max_size=12))
def test_whatever_a_module_says_ends_in_words(said: list[bytes]) -> None:
    dialogue = load_programmer(PROGRAMMER, HELLO, 1)
    answers = iter(said)
    try:
        intent = next(dialogue)
        while True:
            if not isinstance(intent, Receive):
                intent = dialogue.send(None)
            elif (answer := next(answers, None)) is not None:
                intent = dialogue.send(answer)
            else:
                intent = dialogue.throw(SILENCE)
    except (StopIteration, StationError):
        return
