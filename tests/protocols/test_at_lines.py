import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import AtError
from station.protocols.at_lines import (
    MAX_LINE_BYTES,
    Commands,
    Lines,
    format_command,
    format_reply,
    is_final,
)

ATI = ["Quectel", "EC25", "Revision: EC25EFAR06A06M4G"]


def lines(data: bytes, chunk_bytes: int = 9999) -> list[str]:
    framer = Lines()
    found = []
    for start in range(0, len(data), chunk_bytes):
        framer.feed(data[start : start + chunk_bytes])
        while (line := framer.next()) is not None:
            found.append(line)
    return found


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r\n", b"\n\n"])
@pytest.mark.parametrize("chunk_bytes", [1, 7, 47])
def test_any_line_end_and_any_chunking(end: bytes, chunk_bytes: int) -> None:
    assert lines(end.join([b"AT+CGSN", b"863436050940776", b"OK", b""]), chunk_bytes) == [
        "AT+CGSN",
        "863436050940776",
        "OK",
    ]


def test_half_a_line_waits() -> None:
    assert lines(b"\r\nOK\r\nRDY") == ["OK"]


def test_damaged_bytes_are_shown_as_such() -> None:
    assert lines(b"\0EC\xff25 \r\n") == ["EC�25"]


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_a_line_without_end_is_refused(end: bytes) -> None:
    framer = Lines()
    framer.feed(b"x" * (MAX_LINE_BYTES + 1) + end)
    with pytest.raises(AtError, match="AT line"):
        framer.next()
    framer.feed(b"\r\nOK\r\n")
    assert framer.next() == "OK"


@pytest.mark.parametrize(
    "line",
    [
        "OK",
        "ERROR",
        "+CME ERROR: 4",
        "+CME ERROR: SIM not inserted",
        "+CMS ERROR: 500",
        "NO CARRIER",
        "NO ANSWER",
        "NO DIALTONE",
        "BUSY",
        "CONNECT",
        "CONNECT 150000000",
    ],
)
def test_final_result_codes(line: str) -> None:
    assert is_final(line)


@pytest.mark.parametrize("line", ["RDY", "RING", "OKAY", "+CFUN: 1", "Quectel", "AT", ""])
def test_what_is_not_final(line: str) -> None:
    assert not is_final(line)


def test_what_a_module_says_to_the_letter() -> None:
    assert format_reply(ATI) == (b"\r\nQuectel\r\nEC25\r\nRevision: EC25EFAR06A06M4G\r\n\r\nOK\r\n")
    assert format_reply([], "+CME ERROR: 4") == b"\r\n+CME ERROR: 4\r\n"


def test_commands_end_at_cr() -> None:
    assert format_command("AT+CGSN") == b"AT+CGSN\r"
    framer = Commands()
    framer.feed(b"ATE0\rATI\r\nAT+CG")
    assert [framer.next(), framer.next(), framer.next()] == ["ATE0", "ATI", None]
    framer.feed(b"SN\r")
    assert framer.next() == "AT+CGSN"


@given(st.lists(st.binary(max_size=90), max_size=6))
def test_garbage_gives_lines_or_an_at_error(chunks: list[bytes]) -> None:
    framer = Lines()
    for chunk in chunks:
        framer.feed(chunk)
        try:
            while (line := framer.next()) is not None:
                assert line.strip()
                assert "\r" not in line
                assert "\n" not in line
        except AtError:
            continue
