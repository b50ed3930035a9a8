"""Four times the input is four times the work and the memory, whatever is in it."""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from zipfile import ZipFile

import pytest

from station.errors import StationError
from station.firmware.mibib import Partition, compose_partition_table, find_partition_table
from station.protocols import firehose_xml, hdlc, sahara
from station.protocols.at_lines import Lines
from station.seal.checkpoint import Checkpoint
from station.store.pending import _encoded as encoded
from tests.fuzz import files, kept, sealed, seeds_kept, wire
from tests.fuzz.cost import peak_bytes, work
from tests.fuzz.drive import Played
from tests.store.samples import IDENTIFY

SMALL = 60
TIMES = 4
ROOM = 1.5
"""What a step may cost more than its share, e.g. for a table that grows."""
SPARE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    run: Callable[[bytes], object]
    data: Callable[[int], bytes]
    """So many parts."""


def framed(make: Callable[[], wire.Framer]) -> Callable[[bytes], object]:
    """A framer that gets its data in packets of 512 bytes."""

    def run(data: bytes) -> object:
        reads = [data[at : at + 512] for at in range(0, len(data), 512)]
        return wire.taken(make(), reads, resumes=True)

    return run


def loading(data: bytes) -> object:
    image = wire.IMAGE
    return Played(data).run(sahara.load_programmer(image, wire.HELLO, 1))


def lines(head: bytes, line: bytes, tail: bytes) -> Callable[[int], bytes]:
    return lambda parts: head + b"".join(line.replace(b"#", b"%d" % i) for i in range(parts)) + tail


def table(parts: int) -> bytes:
    """As many copies of a table as there are parts; those with a name given twice are damaged."""
    copy = compose_partition_table([Partition(f"p{n}", n, 1) for n in range(60)], 2048)
    return copy.replace(b"0:p59\0", b"0:p0\0\0") * parts


def archive(parts: int) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w") as found:
        found.writestr("md5.txt", b"")
        for number in range(parts // 4):
            found.writestr(f"update/{number}.mbn", b"x")
    return packed.getvalue()


VENDOR = b'<erase vendor="quectel" a="0" c_project_name="EC25"' + b" " * 200 + b"/>\n"
PLAIN = (
    b'<erase PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" num_partition_sectors="1" '
    b'physical_partition_number="0" start_sector="#"/>\n'
)
LOG = firehose_xml.compose_log("INFO: a line of the module")
MD5 = b"FILE:update/#.mbn:" + b"0" * 32 + b"\r\n"
STATION = b"station: {name: a, site: b}\ndatabase: d\nstore: s\nrecipes: r\nslots:\n"
RECIPE = b"name: a\nrevision: 1\nprocedure: quectel_edl\n"

DEVICES = b'families:\n  a: {title: A, usb: ["2c7c:0125"]}\nedl_default: a\ndevices:\n'
HEADING = b'{"format":"station-transcript/1"}\n'
CHECKPOINT = Checkpoint("line-1", 7, "ab" * 32, 5, "shift", "").signed(sealed.KEY).line().encode()


def heard(**message: str) -> bytes:
    return json.dumps({"t": 0, "k": "receive", **message}).encode() + b"\n"


def waiting(parts: int) -> bytes:
    """A result of so many steps."""
    result = kept.result()
    return encoded(replace(result, record=replace(result.record, steps=(IDENTIFY,) * parts)))


CASES = (
    Case("sahara", framed(sahara.Framer), lambda n: sahara.encode(sahara.DoneResponse(0)) * n * 8),
    Case("sahara load", loading, lambda n: sahara.encode(sahara.ReadData(13, 0, 64)) * n),
    Case("firehose", framed(firehose_xml.Framer), lambda n: LOG * n),
    Case("firehose stray", framed(firehose_xml.Framer), lambda n: (b"\0~stray" + LOG) * n),
    Case("firehose one document", framed(firehose_xml.Framer), lines(
        b'<?xml version="1.0" ?><data>', b'<log value="#" />', b"</data>")),
    Case("firehose depth", framed(firehose_xml.Framer), lambda n: (
        b"<?xml?><data>" + b"<a>" * n + b"</a>" * n + b"</data>")),
    Case("diag", framed(hdlc.Framer), lambda n: hdlc.encode(bytes(range(128))) * n),
    Case("diag damaged", framed(hdlc.Framer), lambda n: b"\x01\x02\x03\x04\x7e" * n),
    Case("at", framed(Lines), lambda n: b"\r\n+CPIN: READY\r\n" * n),
    Case("at blank", framed(Lines), lambda n: b"\r\n" * n),
    Case("rawprogram", files.rawprogram, lines(b"<data>\n", PLAIN, b"</data>")),
    Case("rawprogram vendor", files.rawprogram, lines(b"<data>\n", VENDOR, b"</data>")),
    Case("rawprogram vendor in one line", files.rawprogram, lines(
        b"<data>", VENDOR.strip(), b"</data>")),
    Case("md5_list", files.md5_list, lines(b"VERSION:1.0\nFILE:START\n", MD5, b"FILE:END")),
    Case("partition tables", lambda data: find_partition_table(data, 2048), table),
    Case("zip", files.zip_archive, archive),
    Case("settings", files.settings, lines(STATION, b'  A#: {ports: ["1-1.#"]}\n', b"")),
    Case("settings twice", files.settings, lines(STATION, b'  A1: {ports: ["1-1.1"]}\n', b"")),
    Case("settings unknown keys", files.settings, lines(STATION, b"  A#: {porst: 1}\n", b"")),
    Case("recipe unknown keys", files.recipe, lines(RECIPE, b"matsch#: 1\n", b"")),
    Case("recipe list", files.recipe, lines(RECIPE + b"match: {sku: [", b'"A#", ', b'"B"]}\n')),
    Case("families", files.families, lines(
        DEVICES, b'  - {usb: ["05c6:#*"], mode: edl, what: #}\n', b"")),
    Case("bundle", kept.bundle, seeds_kept.bundle_of),
    Case("bundle of headers", kept.bundle, lines(b"", b"PK\3\4#", b"")),
    Case("result", kept.result_file, waiting),
    Case("checkpoints", kept.checkpoints, lines(b"", CHECKPOINT + b"\n", b"")),
    Case("no checkpoints", kept.checkpoints, lines(b"", b'{"format": 1, "seq": #}\n', b"")),
    Case("transcript", kept.transcript, lines(HEADING, heard(text="+CPIN: #"), b"")),
    Case("transcript of a long document", kept.transcript, lines(
        HEADING + heard(text="<?xml"), heard(text="#"), b"")),
    Case("transcript of many packets", kept.transcript, lambda n: (
        HEADING + heard(hex=(sahara.encode(sahara.DoneResponse(0)) * n).hex()))),
    Case("packed transcript", kept.packed_transcript, lambda n: (
        sealed.packed(HEADING + heard(text="+CPIN: READY") * n))),
    Case("command", files.command, lines(
        b'{"do": "arm", "operator": "m", "recipes": [', b'{"nam": "#"}, ', b"{}]}")),
    Case("message", files.message, lines(
        b'{"type": "answer", "id": "1", "data": {"a": [', b"{}, ", b"0]}}")),
)  # fmt: skip


def cost(case: Case, parts: int) -> tuple[int, int]:
    data = case.data(parts)

    def call() -> None:
        with suppress(StationError):
            case.run(data)

    call()  # what is made once and kept
    return work(call), peak_bytes(call)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cost_grows_with_the_input_and_no_faster(case: Case) -> None:
    work_small, bytes_small = cost(case, SMALL)
    work_large, bytes_large = cost(case, SMALL * TIMES)
    assert work_large <= ROOM * TIMES * work_small
    assert bytes_large <= ROOM * TIMES * bytes_small + SPARE_BYTES


def test_the_count_tells_a_square_from_a_line() -> None:
    def search_all(parts: int) -> int:
        data = b"x" * 1000 * parts
        return work(lambda: [data.find(b"y") for _ in range(parts)])

    def search_each(parts: int) -> int:
        return work(lambda: [(b"x" * 1000).find(b"y") for _ in range(parts)])

    assert search_each(SMALL * TIMES) <= ROOM * TIMES * search_each(SMALL)
    assert search_all(SMALL * TIMES) > ROOM * TIMES * search_all(SMALL)
