"""Messages as people read them: each protocol by its own decoder, hostile bytes by none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.evidence.reading import Entry
from station.evidence.words import Line, folded, in_words
from station.protocols import sahara
from station.protocols.diag import EDL_SWITCH
from station.protocols.firehose_xml import compose, compose_log, compose_response


def sent(*messages: bytes) -> list[str]:
    return [line.words for line in in_words(Entry(0, "send", {}, data) for data in messages)]


def heard(*messages: bytes) -> list[str]:
    return [line.words for line in in_words(Entry(0, "receive", {}, data) for data in messages)]


def test_at() -> None:
    assert sent(b"AT+CGSN\r") == ["AT+CGSN"]
    assert heard(b"\r\n866866040134584\r\n\r\nOK\r\n") == ["866866040134584 | OK"]
    assert heard(b"\r\n") == ["empty lines"]


def test_diag() -> None:
    assert sent(EDL_SWITCH) == ["DIAG: go to EDL"]
    assert heard(EDL_SWITCH) == ["DIAG: the switch to EDL, echoed"]
    assert heard(bytes.fromhex("7c93497e")) == ["DIAG frame, 1 bytes: 7c"]


def test_sahara_packets_have_names_and_status_words() -> None:
    hello = sahara.encode(sahara.Hello(2, 1, 1024, sahara.SaharaMode.COMMAND))
    assert heard(hello) == ["Sahara HELLO: version 2, mode command, packets up to 1024 bytes"]
    end = sahara.encode(sahara.EndImage(13, sahara.Status.HASH_VERIFICATION_FAILURE))
    wants = sahara.encode(sahara.ReadData(13, 8192, 4096))
    assert heard(wants + end) == [
        "Sahara READ_DATA: image 13, 4096 bytes at 8192",
        "Sahara END_IMAGE_TX: image 13, hash verification failure (0x22)",
    ]
    assert sent(sahara.encode(sahara.Done())) == ["Sahara DONE"]
    assert heard(hello + b"\xff" * 12)[1].startswith("no Sahara packet: ")


def test_the_answer_to_a_client_command_is_named() -> None:
    ask = sahara.encode(sahara.ExecuteData(sahara.ClientCommand.SERIAL_NUM_READ))
    entries = [Entry(0, "send", {}, ask), Entry(0, "receive", {}, bytes.fromhex("fed9de0a"))]
    assert [line.words for line in in_words(entries)] == [
        "Sahara EXECUTE_DATA: serial num read",
        "answer to serial num read: 4 bytes: fe d9 de 0a",
    ]


def test_firehose_commands_answers_and_log_lines() -> None:
    command = compose(
        "program",
        {"PAGES_PER_BLOCK": 64, "SECTOR_SIZE_IN_BYTES": 2048, "label": "TZ", "start_sector": 640},
    )
    assert sent(command) == ["Firehose program label=TZ start_sector=640"]
    answer = compose_log("INFO: ok") + compose_response(ack=True, raw=True) + b"\0" * 100
    assert heard(answer) == ["the module says: INFO: ok", "Firehose ACK, data follows"]
    nak = compose_response(ack=False, raw=False)
    assert heard(nak[:40], nak[40:]) == [
        "a part of a Firehose document, 40 bytes",
        "Firehose NAK",
    ]
    assert heard(b"\x01\x02" * 100 + nak) == ["200 bytes of data", "Firehose NAK"]
    assert heard(compose_response(ack=True, raw=True) + b"\x01\x02") == [
        "Firehose ACK, data follows",
        "2 bytes of data",
    ]


def test_the_programmer_may_follow_the_last_packet_in_the_same_read() -> None:
    done = sahara.encode(sahara.DoneResponse(1))
    assert heard(done + compose_log("hello")) == [
        "Sahara DONE_RESP: image tx complete",
        "the module says: hello",
    ]


def test_what_a_module_says_moves_no_cursor() -> None:
    (line,) = heard(compose_response(ack=True, raw=False, attributes={"x": "\u2028\u202e"}))
    assert line.isprintable()
    (notice,) = in_words([Entry(0, "notice", {"text": "a\x1b[2Jb\nc"})])
    assert notice.words == "notice: a [2Jb c"


def test_what_was_said_over_and_over_is_folded() -> None:
    def line(t_us: int, words: str) -> Line:
        return Line(t_us, "->", "send", words)

    pings = [line(n, words) for n in range(5) for words in ("ATE0", "silence")]
    lines = [line(0, "open"), *pings, line(9, "OK"), line(9, "OK")]
    assert [one.words for one in folded(lines)] == [
        *("open", "ATE0", "silence", "… the same 4 times more", "OK", "OK")
    ]


_VALUES = st.text(max_size=10) | st.integers()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["send", "receive", "span", "data", "left_out", "open", "odd"]),
            st.binary(max_size=80)
            | st.builds(
                lambda head, tail: head + tail,
                st.sampled_from([b"<?xml", b"<?xml?><data></data>", EDL_SWITCH[:4], b"\x03\0\0\0"]),
                st.binary(max_size=40),
            ),
            st.dictionaries(
                st.sampled_from(["bytes", "sha256", "name", "at", "us", "chunks", "text"]), _VALUES
            ),
        ),
        max_size=8,
    )
)
def test_every_entry_has_words_whatever_is_in_it(
    entries: list[tuple[str, bytes, dict[str, str | int]]],
) -> None:
    told = list(
        in_words(
            Entry(n, kind, fields, data if kind in ("send", "receive") else None)
            for n, (kind, data, fields) in enumerate(entries)
        )
    )
    assert {line.t_us for line in told} == set(range(len(entries)))
    assert all(line.words.isprintable() for line in told)


@pytest.mark.parametrize("kind", ["send", "receive"])
def test_payload_is_named_by_its_digest(kind: str) -> None:
    entry = Entry(0, kind, {"bytes": 5000, "sha256": "ab" * 32})
    assert [line.words for line in in_words([entry])] == ["5000 bytes, sha256 abababababab…"]
