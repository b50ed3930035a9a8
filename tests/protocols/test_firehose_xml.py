"""Firehose documents: literal bytes, framing of any cut, hostile XML."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import FirehoseError
from station.protocols.firehose_xml import (
    BUFFER_BYTES,
    HOST_DOCUMENT_BYTES,
    JUNK_BYTES,
    MODULE_DOCUMENT_BYTES,
    Element,
    Framer,
    Log,
    Response,
    compose,
    compose_log,
    compose_response,
    parse,
    wrap,
)

HEAD = b'<?xml version="1.0" encoding="UTF-8" ?>'
CUTS = (1, 7, 47, 1 << 20)

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE data [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;">]><data><response value="&c;" /></data>'
)
DOCTYPE = b'<?xml version="1.0"?><!DOCTYPE data SYSTEM "file:///etc/passwd"><data><nop /></data>'


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def messages(data: bytes, size: int) -> list[Log | Response]:
    framer, found = Framer(), []
    for piece in pieces(data, size):
        framer.feed(piece)
        while (message := framer.next()) is not None:
            found.append(message)
    return found


# --- writing ----------------------------------------------------------------------------------


def test_compose_writes_one_self_closing_element() -> None:
    assert compose("nop", {}) == HEAD + b"<data><nop /></data>"
    assert compose("power", {"value": "reset", "DelayInSeconds": 1}) == (
        HEAD + b'<data><power value="reset" DelayInSeconds="1" /></data>'
    )


def test_compose_encodes_the_predefined_entities() -> None:
    assert compose("a", {"b": "<\"5\" & 'x'>"}) == (
        HEAD + b"<data><a b=\"&lt;&quot;5&quot; &amp; 'x'&gt;\" /></data>"
    )


def test_module_side_documents() -> None:
    assert compose_log("INFO: hello") == HEAD + b'<data><log value="INFO: hello" /></data>'
    assert compose_response(True, True) == (
        HEAD + b'<data><response value="ACK" rawmode="true" /></data>'
    )
    assert compose_response(False, False, {"AttemptRetry": 1}) == (
        HEAD + b'<data><response value="NAK" rawmode="false" AttemptRetry="1" /></data>'
    )


def test_no_document_fills_its_last_packet() -> None:
    bare = len(compose("nop", {"a": ""}))
    padded = compose("nop", {"a": "x" * (512 - bare)})
    assert padded == HEAD + b'\n<data><nop a="' + b"x" * (512 - bare) + b'" /></data>'
    assert len(padded) == 513
    assert len(wrap(b"<erase " + b" " * (512 - len(HEAD) - 22) + b"/>")) == 513
    for length in range(1200):
        assert len(compose("nop", {"a": "x" * length})) % 512


@pytest.mark.parametrize("value", ["\n", "\0", "\x1b[2J", "\x9b", "\udc80", "\uffff"])
def test_compose_refuses_what_xml_cannot_carry(value: str) -> None:
    with pytest.raises(FirehoseError, match="label holds the character"):
        compose("program", {"label": value})


@pytest.mark.parametrize("name", ["", "a b", 'a="1"', "1a", "a>", "é"])
def test_compose_refuses_bad_names(name: str) -> None:
    with pytest.raises(FirehoseError, match="not a name"):
        compose(name, {})
    with pytest.raises(FirehoseError, match="not a name"):
        compose("nop", {name: "1"})


def test_compose_stays_below_what_a_module_takes() -> None:
    with pytest.raises(FirehoseError, match="4096"):
        compose("nop", {"a": "x" * HOST_DOCUMENT_BYTES})
    assert len(compose_log("x" * 9000)) > 9000


def test_a_vendor_line_is_wrapped_byte_for_byte() -> None:
    line = b'<erase  c_project_name="EC25"   vendor="quectel" a_rawdata_start_sector="12544"/>'
    assert wrap(line) == HEAD + b"<data>" + line + b"</data>"
    assert list(parse(wrap(line)).attributes) == [
        "c_project_name",
        "vendor",
        "a_rawdata_start_sector",
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"erase",
        b'<erase vendor="quectel"',
        b'<erase vendor="quectel"></erase>',
        b'<erase a="1"/><power value="reset"/>',
        b'<erase a="1"/></data><data><nop/>',
        b"<erase a=\xff/>",
        b'<erase a="' + b"x" * 4096 + b'"/>',
    ],
)
def test_a_vendor_line_must_be_one_element(line: bytes) -> None:
    with pytest.raises(FirehoseError):
        wrap(line)


# --- reading ----------------------------------------------------------------------------------


def test_parse_reads_what_the_known_hosts_send() -> None:
    assert parse(HEAD + b"<data><nop /></data>") == Element("nop", {})
    qdl = b'<?xml version="1.0"?>\n<data><power DelayInSeconds="10" value="reset"/></data>\n'
    assert parse(qdl) == Element("power", {"DelayInSeconds": "10", "value": "reset"})
    quoted = HEAD + b'<data>\n<a b="&lt;&gt;&amp;&quot;&apos;" />\n</data>'
    assert parse(quoted) == Element("a", {"b": "<>&\"'"})


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "XML declaration"),
        (b"<data><nop /></data>", "XML declaration"),
        (HEAD, "well-formed"),
        (HEAD + b"<data><nop /></data", "well-formed"),
        (HEAD + b"<data></data>", "0 elements"),
        (HEAD + b"<data><nop /><nop /></data>", "2 elements"),
        (HEAD + b"<nop />", "instead of <data>"),
        (HEAD + b"<data><nop></nop></data>", "close itself"),
        (HEAD + b"<data><nop><a /></nop></data>", "nests"),
        (HEAD + b"<data>text<nop /></data>", "text"),
        (HEAD + b"<data><nop />text</data>", "text"),
        (HEAD + b'<data><nop a="1" a="2" /></data>', "well-formed"),
        (HEAD + b"<data><nop a=1 /></data>", "well-formed"),
        (HEAD + b'<data><nop a="&nbsp;" /></data>', "well-formed"),
        (HEAD + b'<data><nop a="\xff" /></data>', "UTF-8"),
        (HEAD + b'<data><nop a="\0" /></data>', "well-formed"),
        ((HEAD + b"<data><nop /></data>").decode().encode("utf-16"), "UTF-8"),
        (HEAD + b'<data><nop a="' + b"x" * 4096 + b'" /></data>', "4096"),
        (HEAD + b"<data>" * 300 + b"</data>" * 300, "nests"),
        (BOMB, "DTD"),
        (DOCTYPE, "DTD"),
    ],
)
def test_parse_refuses(document: bytes, why: str) -> None:
    with pytest.raises(FirehoseError, match=why):
        parse(document)


TRANSCRIPT = (
    b'<?xml version="1.0" encoding="UTF-8" ?>\n<data>\n'
    b'<log value="INFO: Calling handler for program" /></data>'
    b'<?xml version="1.0" encoding="UTF-8" ?>\n<data>\n'
    b'<log value="a &quot;b&quot;" /><log value="two" /></data>\n'
    b'<?xml version="1.0" ?><data><surprise colour="blue" /></data>\0'
    b'<?xml version="1.0" encoding="UTF-8" ?>\n<data>\n'
    b'<response value="NAK" rawmode="false" AttemptRetry="1" /></data>'
)


@pytest.mark.parametrize("size", CUTS)
def test_the_framer_reads_a_transcript_in_any_cut(size: int) -> None:
    assert messages(TRANSCRIPT, size) == [
        Log("INFO: Calling handler for program"),
        Log('a "b"'),
        Log("two"),
        Log("unknown element surprise colour='blue'"),
        Response(False, False, {"value": "NAK", "rawmode": "false", "AttemptRetry": "1"}),
    ]


@pytest.mark.parametrize("size", CUTS)
def test_raw_bytes_behind_the_ack_are_not_parsed(size: int) -> None:
    raw = b"<?xml version=</data>\0\r\n<data>" * 3
    framer, got, ack = Framer(), b"", None
    for piece in pieces(HEAD + b'<data><response value="ACK" rawmode="true" /></data>' + raw, size):
        framer.feed(piece)
        ack = ack or framer.next()
        if ack is not None:
            got += framer.take_raw(1 << 20)
    assert ack == Response(True, True, {"value": "ACK", "rawmode": "true"})
    assert got == raw


def test_take_raw_leaves_the_glued_ack() -> None:
    framer = Framer(b"\x01\x02\x03" + HEAD + b'<data><response value="ACK" /></data>')
    assert framer.take_raw(3) == b"\x01\x02\x03"
    assert framer.next() == Response(True, False, {"value": "ACK"})
    assert framer.next() is None


def test_empty_reads_are_nothing() -> None:
    framer = Framer(b"")
    framer.feed(b"")
    assert framer.next() is None
    framer.feed(HEAD + b'<data><log value="x" /></data>')
    framer.feed(b"")
    assert [framer.next(), framer.next()] == [Log("x"), None]


def test_a_little_junk_is_told_and_much_is_an_error() -> None:
    assert messages(b"\x01\x02" + compose_log("x"), 1000) == [
        Log("2 stray bytes skipped: 01 02"),
        Log("x"),
    ]
    framer = Framer(b"\x55" * JUNK_BYTES)
    assert framer.next() is None
    framer.feed(b"\x55")
    with pytest.raises(FirehoseError, match="no document: 55 55"):
        framer.next()
    with pytest.raises(FirehoseError, match="no document"):
        messages(b"\x55" * (JUNK_BYTES + 1) + compose_log("x"), 1 << 20)


def test_what_piles_up_is_bounded() -> None:
    endless = HEAD + b'<data><log value="' + b"x" * MODULE_DOCUMENT_BYTES
    with pytest.raises(FirehoseError, match="65536"):
        messages(endless, 1000)
    framer = Framer()
    with pytest.raises(FirehoseError, match="without being asked"):
        framer.feed(b"x" * (BUFFER_BYTES + 1))
    whole = HEAD + b'<data><log value="' + b"x" * MODULE_DOCUMENT_BYTES + b'" /></data>'
    with pytest.raises(FirehoseError, match="65536"):
        Framer(whole).next()


@pytest.mark.parametrize(
    "document",
    [
        BOMB,
        DOCTYPE,
        HEAD + b'<data><response value="MAYBE" /></data>',
        HEAD + b'<data><response rawmode="true" /></data>',
        HEAD + b'<data><response value="ACK"></data>',
        HEAD + b'<!-- --><data><log value="</data>',
    ],
)
def test_the_framer_refuses(document: bytes) -> None:
    with pytest.raises(FirehoseError):
        Framer(document).next()


def test_a_damaged_log_line_is_shown_not_fatal() -> None:
    assert Framer(HEAD + b'<data><log value="a & b" /></data>').next() == Log(
        HEAD.decode() + '<data><log value="a & b" /></data>'
    )
    assert Framer(HEAD + b'<data><log value="a\xf0\xe9\x88\x14b" /></data>').next() == Log(
        "a\ufffd\ufffd\ufffdb"
    )
    deep = HEAD + b"<a>" * 20000 + b"</data>"
    assert isinstance(Framer(deep).next(), Log)


def test_log_text_cannot_steer_a_terminal() -> None:
    assert Framer(HEAD + b'<data><log value="a&#10;b&#x9b;2Jc" /></data>').next() == Log("a b 2Jc")


# --- properties -------------------------------------------------------------------------------

TEXT = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]).filter(
        lambda char: char not in "\ufffe\uffff"
    ),
    max_size=80,
)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)


@given(NAMES, st.dictionaries(NAMES, TEXT, max_size=6))
def test_what_is_composed_is_parsed(tag: str, attributes: dict[str, str]) -> None:
    document = compose(tag, attributes)
    element = parse(document)
    assert (element.tag, list(element.attributes.items())) == (tag, list(attributes.items()))
    assert len(document) % 512


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8), st.sampled_from(CUTS))
def test_responses_survive_any_cut(flags: list[tuple[bool, bool]], size: int) -> None:
    wire = b"".join(compose_response(ack, raw) for ack, raw in flags)
    found = [(m.ack, m.raw) for m in messages(wire, size) if isinstance(m, Response)]
    assert found == flags


@given(st.binary(max_size=300), st.sampled_from(CUTS))
def test_random_bytes_raise_only_firehose_errors(data: bytes, size: int) -> None:
    for attempt in (lambda: parse(data), lambda: messages(data, size)):
        with suppress(FirehoseError):
            attempt()


FRAGMENTS = st.sampled_from(
    [
        HEAD,
        b"<data>",
        b"</data>",
        b'<log value="x" />',
        b'<response value="ACK" rawmode="true" />',
        b"<!DOCTYPE data>",
        b'<!ENTITY a "b">',
        b"<![CDATA[x]]>",
        b"<!-- x -->",
        b"<?pi x?>",
        b'<x xmlns="urn:x" />',
        b"&a;",
        b"&#0;",
        b"\xff\xfe",
        b"\0",
        b"<a>",
        b'"',
    ]
)


@given(st.lists(FRAGMENTS | st.binary(max_size=8), max_size=12), st.sampled_from(CUTS))
def test_structured_garbage_raises_only_firehose_errors(parts: list[bytes], size: int) -> None:
    body = b"".join(parts)
    for document in (body, HEAD + b"<data>" + body + b"</data>"):
        for attempt in (lambda d=document: parse(d), lambda d=document: messages(d, size)):
            with suppress(FirehoseError):
                attempt()


@pytest.mark.parametrize("last", range(1, len(b"<?xml")))
def test_a_declaration_that_has_just_begun_is_no_junk(last: int) -> None:
    """The most that may be skipped, and the read ends amid what comes behind it."""
    junk = bytes(JUNK_BYTES)
    framer = Framer(junk + HEAD[:last])
    assert framer.next() is None
    framer.feed(HEAD[last:] + b'<data><log value="there" /></data>')
    assert framer.next() == Log("there")
    with pytest.raises(FirehoseError, match="1027 bytes that are no document"):
        Framer(junk + b"<?y").next()


def test_stray_bytes_are_told_before_the_document_behind_them_is_refused() -> None:
    framer = Framer(b"\x7estray" + HEAD + b"<!DOCTYPE data><data></data>")
    assert framer.next() == Log("6 stray bytes skipped: 7e 73 74 72 61 79")
    with pytest.raises(FirehoseError, match="DTD"):
        framer.next()
