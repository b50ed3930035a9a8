"""Entries as people read them. The protocols' own decoders do it, when somebody asks: what was
kept are bytes, and a better decoder explains old transcripts, too."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from station.errors import DiagError, FirehoseError, SaharaError
from station.evidence.reading import Entry
from station.protocols import diag, firehose_xml, hdlc, sahara
from station.protocols.firehose_xml import Log, Response

_SHOWN_BYTES = 24
_SHOWN_CHARS = 400
_DIGEST_CHARS = 12
_OF_NO_INTEREST = {"PAGES_PER_BLOCK", "SECTOR_SIZE_IN_BYTES", "physical_partition_number"}
_DOCUMENT, _END = b"<?xml", b"</data>"
_EXECUTE_DATA = "Sahara EXECUTE_DATA: "
_BLANK = b" \t\r\n\0"
_LINE_END = re.compile(r"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Line:
    """`way`: `->` to the module, `<-` from it, empty for everything else."""

    t_us: int
    way: str
    kind: str
    words: str


def in_words(entries: Iterable[Entry]) -> Iterator[Line]:
    """At least one line for each entry; a message that holds several packets makes several."""
    ear = _Ear()
    for entry in entries:
        way = {"send": "->", "span": "->", "receive": "<-", "data": "<-"}.get(entry.kind, "")
        for words in _words(entry, ear):
            yield Line(entry.t_us, way, entry.kind, printable(words)[:_SHOWN_CHARS])


def printable(text: str) -> str:
    """No line breaks, no terminal controls: what a module says must not move a cursor."""
    return "".join(char if char.isprintable() else " " for char in text).strip()


def folded(lines: Iterable[Line]) -> list[Line]:
    """The same without what was said over and over: a line, or a question and its answer."""
    kept: list[Line] = []
    left = list(lines)
    while left:
        for period in (1, 2):
            times = _times(left, period)
            if times > 2:
                last = left[times * period - 1]
                kept += left[:period]
                kept.append(Line(last.t_us, "", "again", f"… the same {times - 1} times more"))
                left = left[times * period :]
                break
        else:
            kept.append(left.pop(0))
    return kept


def _times(lines: list[Line], period: int) -> int:
    """How often the first so many lines are said, one after the other."""
    first = [(line.way, line.words) for line in lines[:period]]
    times = 0
    for at in range(0, len(lines) - period + 1, period):
        if [(line.way, line.words) for line in lines[at : at + period]] != first:
            break
        times += 1
    return times


# --- entries ----------------------------------------------------------------------------------


def _words(entry: Entry, ear: "_Ear") -> list[str]:
    fields = entry.fields
    match entry.kind:
        case "send" | "receive" if entry.data is not None:
            return ear.told(entry.data) if entry.kind == "send" else ear.heard(entry.data)
        case "send" | "receive":
            return [f"{fields.get('bytes')} bytes, sha256 {_digest(fields.get('sha256'))}"]
        case "span":
            where = f"of {fields.get('name')} from {fields.get('at')} on"
            return [f"{fields.get('bytes')} bytes {where}, in {_seconds(fields.get('us'))}"]
        case "data":
            how = f"{fields.get('chunks')} reads and {_seconds(fields.get('us'))}"
            digest = _digest(fields.get("sha256"))
            return [f"{fields.get('bytes')} bytes of data in {how}, sha256 {digest}"]
        case "left_out":
            what = f"{fields.get('entries')} entries of {fields.get('bytes')} bytes"
            return [f"… {what} were not kept, sha256 {_digest(fields.get('sha256'))}"]
        case "open":
            ear.forget()
            return [f"open: {entry.text}"]
        case _:
            return [f"{entry.kind}: {entry.text}"]


def _digest(value: object) -> str:
    return f"{str(value)[:_DIGEST_CHARS]}…"


def _seconds(value: object) -> str:
    return f"{value / 1e6:.3f} s" if isinstance(value, int) else "an unknown time"


# --- messages ---------------------------------------------------------------------------------


class _Ear:
    """Knows what was left unfinished by the message before."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another interface: nothing of before belongs to what comes."""
        self._unfinished = b""
        self._asked: str | None = None

    def told(self, data: bytes) -> list[str]:
        if data.startswith(_DOCUMENT):
            return [_command(data)]
        words, rest = _packets(data)
        if words and not rest:
            self._asked = words[-1] if words[-1].startswith(_EXECUTE_DATA) else None
            return words
        return [_plain(data, _DIAG_TOLD)]

    def heard(self, data: bytes) -> list[str]:
        if not data:
            return ["a packet of no bytes"]
        if self._unfinished or data.lstrip(_BLANK).startswith(_DOCUMENT):
            return self._documents(data)
        words, rest = _packets(data)
        if words:
            return words + (self.heard(rest) if rest else [])
        if self._asked is not None:
            asked, self._asked = self._asked.removeprefix(_EXECUTE_DATA), None
            return [f"answer to {asked}: {_hex(data)}"]
        begin = data.rfind(_DOCUMENT)
        if begin > 0 and _END in data[begin:]:
            return [f"{begin} bytes of data", *self._documents(data[begin:])]
        return [_plain(data, _DIAG_HEARD)]

    def _documents(self, data: bytes) -> list[str]:
        together = self._unfinished + data
        end = together.rfind(_END) + len(_END)
        if end < len(_END):
            fits = len(together) <= firehose_xml.MODULE_DOCUMENT_BYTES
            self._unfinished = together if fits else b""
            return [f"a part of a Firehose document, {len(data)} bytes"]
        behind = together[end:].strip(_BLANK)
        self._unfinished = behind if behind.startswith(_DOCUMENT) else b""
        words = _answers(together[:end])
        return (
            [*words, f"{len(behind)} bytes of data"] if behind and not self._unfinished else words
        )


def _command(document: bytes) -> str:
    try:
        element = firehose_xml.parse(document)
    except FirehoseError as error:
        return f"a Firehose document ({error.cause})"
    told = (f"{k}={v}" for k, v in element.attributes.items() if k not in _OF_NO_INTEREST)
    return " ".join(("Firehose", element.tag, *told))


def _answers(documents: bytes) -> list[str]:
    words: list[str] = []
    try:
        framer = firehose_xml.Framer(documents)
        while (message := framer.next()) is not None:
            match message:
                case Log(text):
                    words.append(f"the module says: {text}")
                case Response(ack, raw, attributes):
                    more = {k: v for k, v in attributes.items() if k not in ("value", "rawmode")}
                    told = "".join(f" {name}={value}" for name, value in more.items())
                    data = ", data follows" if raw else ""
                    words.append(f"Firehose {'ACK' if ack else 'NAK'}{data}{told}")
                case _:
                    assert_never(message)
    except FirehoseError as error:
        words.append(f"no Firehose document: {error.cause}")
    return words or [f"an empty Firehose document, {len(documents)} bytes"]


def _packets(data: bytes) -> tuple[list[str], bytes]:
    """Sahara packets, and what stands behind them; no words if it is no Sahara."""
    framer = sahara.Framer()
    framer.feed(data)
    words: list[str] = []
    try:
        while (packet := framer.next()) is not None:
            words.append(_packet(packet))
    except SaharaError as error:  # the framer has forgotten what it did not understand
        return ([*words, f"no Sahara packet: {error.cause}"], b"") if words else ([], data)
    return words, framer.take()


def _packet(packet: sahara.Packet) -> str:
    match packet:
        case sahara.Hello(version, _, most, mode):
            return (
                f"Sahara HELLO: version {version}, mode {_mode(mode)}, packets up to {most} bytes"
            )
        case sahara.HelloResponse(mode, version, _, status):
            refusal = "" if status == 0 else f", status {sahara.Status.describe(status)}"
            return f"Sahara HELLO_RESP: version {version}, mode {_mode(mode)}{refusal}"
        case sahara.ReadData(image, offset, length):
            return f"Sahara READ_DATA: image {image}, {length} bytes at {offset}"
        case sahara.EndImage(image, status):
            return f"Sahara END_IMAGE_TX: image {image}, {sahara.Status.describe(status)}"
        case sahara.Done():
            return "Sahara DONE"
        case sahara.DoneResponse(status):
            return f"Sahara DONE_RESP: {_mode(status)}"
        case sahara.Reset():
            return "Sahara RESET"
        case sahara.ResetResponse():
            return "Sahara RESET_RESP"
        case sahara.MemoryDebug(address, length):
            return f"Sahara MEM_DEBUG: a memory dump, table of {length} bytes at 0x{address:x}"
        case sahara.CommandReady():
            return "Sahara CMD_READY"
        case sahara.SwitchMode(mode):
            return f"Sahara SWITCH_MODE: {_mode(mode)}"
        case sahara.Execute(command):
            return f"Sahara EXECUTE: {_client(command)}"
        case sahara.ExecuteResponse(command, length):
            return f"Sahara EXECUTE_RESP: {_client(command)}, {length} bytes"
        case sahara.ExecuteData(command):
            return f"{_EXECUTE_DATA}{_client(command)}"
        case sahara.ResetStateMachine():
            return "Sahara RESET_STATE_MACHINE"
        case _:
            assert_never(packet)


def _mode(number: int) -> str:
    try:
        return sahara.SaharaMode(number).name.lower().replace("_", " ")
    except ValueError:
        return f"unknown ({number})"


def _client(number: int) -> str:
    try:
        return sahara.ClientCommand(number).name.lower().replace("_", " ")
    except ValueError:
        return f"client command {number}"


# --- text, DIAG, and the rest -----------------------------------------------------------------

_DIAG_TOLD = {diag.EDL_SWITCH: "DIAG: go to EDL", diag.VERSION_QUERY: "DIAG: which build?"}
_DIAG_HEARD = {diag.EDL_SWITCH: "DIAG: the switch to EDL, echoed"}


def _plain(data: bytes, known: dict[bytes, str]) -> str:
    if data in known:
        return known[data]
    if all(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in data):
        return " | ".join(filter(None, _LINE_END.split(data.decode("ascii")))) or "empty lines"
    try:
        payload = hdlc.decode(data.rstrip(b"\x7e")) if data.endswith(b"\x7e") else b""
    except DiagError:
        payload = b""
    return f"DIAG frame, {_hex(payload)}" if payload else _hex(data)


def _hex(data: bytes) -> str:
    more = "" if len(data) <= _SHOWN_BYTES else " …"
    return f"{len(data)} bytes: {data[:_SHOWN_BYTES].hex(' ')}{more}"
