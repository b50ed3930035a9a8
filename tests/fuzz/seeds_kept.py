"""Bundles, results that wait, checkpoints, transcripts to begin with, as a station makes them."""

import csv
import io
import json
from dataclasses import asdict, replace

from station.bundle.manifest import LINES, MEMBERS, TABLE, File, SignedUpTo
from station.errors import Timeout
from station.evidence.transcript import Transcript
from station.protocols import at_lines, diag, firehose_xml, sahara
from station.protocols.dialogue import BytesSource, SendSpan
from station.seal.checkpoint import Checkpoint
from station.store.pending import Result
from station.store.pending import _encoded as encoded
from tests.bundle.bundles import COLUMNS, about, told
from tests.fuzz import kept, sealed
from tests.store.samples import NOON_US

Seeds = dict[str, bytes]


def kept_seeds() -> dict[str, Seeds]:
    transcripts = _transcripts()
    return {
        "bundle": _bundles(),
        "result": _results(),
        "checkpoints": _checkpoints(),
        "transcript": transcripts,
        "packed_transcript": _packed(transcripts),
    }


def _bundles() -> Seeds:
    four = bundle_of(4)
    return {
        "attempts": four,
        "none": bundle_of(0),
        "checkpoint": bundle_of(1, _checkpoint(3)),
        "changed": four.replace(b'"verified": true', b'"verified": null'),
        "cut_off": four[:-30],
    }


def bundle_of(count: int, *signed: Checkpoint) -> bytes:
    """The last attempt is open."""
    attempts = [told(number, outcome=None if number == count else "PASS") for number in
                range(1, count + 1)]  # fmt: skip
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *(one.cells for one in attempts)])
    lines = "".join(f"{one.line}\n" for one in attempts)
    files = (_file(LINES), _file(TABLE))
    manifest = about(count, 1, files).model_dump()
    manifest |= {"checkpoints": [SignedUpTo(**asdict(one)).model_dump() for one in signed]}
    members = (lines, table.getvalue(), json.dumps(manifest), "")
    plain = {name: text.encode() for name, text in zip(MEMBERS, members, strict=True)}
    return sealed.signed_bundle(sealed.bundle(plain))


def _file(name: str) -> File:
    """What it holds is counted when it is signed."""
    return File.model_validate({"name": name, "sha256": "0" * 64, "bytes": 0, "rows": 0})


def _results() -> Seeds:
    passed = kept.result()
    names, failed = passed.names, kept.failed_record()
    bare = replace(
        failed,
        opened=replace(failed.opened, recipe=None, package=None, plan_json=None, identifiers=()),
        steps=(),
        images=(),
    )
    sound = encoded(passed)
    return {
        "passed": sound,
        "failed": encoded(Result(failed, names)),
        "bare": encoded(Result(bare)),
        "open": encoded(replace(passed, record=replace(passed.record, closed=None))),
        "later_version": sound.replace(b'{"version": 1', b'{"version": 2'),
        "cut_off": sound[:-40],
    }


def _checkpoint(seq: int, station: str = kept.STATION, reason: str = "shift") -> Checkpoint:
    return Checkpoint(station, seq, "ab" * 32, NOON_US, reason, "").signed(sealed.KEY)


def _checkpoints() -> Seeds:
    one = _checkpoint(2).line().encode() + b"\n"
    forged = replace(_checkpoint(5), seq=6)
    others = [_checkpoint(seq, "line-2", "rows") for seq in (1, 9, 4096)]
    return {
        "one": one,
        "of_others": b"".join(other.line().encode() + b"\n" for other in others),
        "below_all": _checkpoint(-(1 << 70)).line().encode() + b"\n",
        "forged": forged.line().encode() + b"\n",
        "cut_off": one[:-40] + b"\n" + one,
        "empty": b"",
    }


def _transcripts() -> Seeds:
    clock = iter(range(10_000))
    made = Transcript({"attempt": kept.ATTEMPT, "slot": "A1"}, lambda: next(clock) / 1000)
    made.said("open", "AT port")
    made.sent(b"ATI\r")
    made.received(at_lines.format_reply(("Quectel", "EC25"), "OK"))
    made.said("step", "enter_edl")
    made.sent(diag.EDL_SWITCH)
    made.received(diag.EDL_SWITCH)
    made.said("open", "boot ROM")
    made.received(sahara.encode(sahara.Hello(2, 1, 0x400, 0)))
    made.sent(sahara.encode(sahara.HelloResponse(0)))
    made.sent(sahara.encode(sahara.ExecuteData(1)))
    made.received(bytes.fromhex("efbeadde"))
    made.said("open", "programmer")
    banner = firehose_xml.compose_log("INFO: Binary build date: Jul 29 2020")
    made.received(banner[:30])
    made.received(banner[30:])
    made.sent(firehose_xml.compose("erase", {"start_sector": 0, "num_partition_sectors": 640}))
    made.received(firehose_xml.compose_response(False, False))
    made.trouble(Timeout("silence"))
    made.spanned(SendSpan(BytesSource("boot.mbn", bytes(64)), 0, 64, 64), 64, 1, 0.018)
    made.received(bytes(5000))
    made.said("ended", "program FAILED")
    made.said("verdict", "FAIL P112")
    whole = made.whole()
    heading = whole[: whole.index(b"\n") + 1]
    left_out = {"t": 5, "k": "left_out", "entries": 7, "bytes": 300, "sha256": "ab" * 32}
    return {
        "whole": whole,
        "heading": heading,
        "left_out": heading + json.dumps(left_out).encode() + b"\n",
        "empty": b"",
        "cut_off": whole[:-5],
        "later_version": whole.replace(b"transcript/1", b"transcript/2", 1),
    }


def _packed(transcripts: Seeds) -> Seeds:
    whole = sealed.packed(transcripts["whole"])
    return {
        **{name: sealed.packed(transcripts[name]) for name in ("whole", "left_out")},
        "twice": whole * 2,
        "cut_off": whole[:-8],
        "plain": transcripts["heading"],
    }
