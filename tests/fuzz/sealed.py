"""Bundles, results that wait, checkpoints and transcripts taken apart and made anew: whoever writes
a file can make its digests right, and sign it with a key of his own."""

import csv
import hashlib
import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from zipfile import ZipInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from station.bundle import framing
from station.bundle.manifest import LINES, MANIFEST, MEMBERS, SIGNATURE, TABLE, Signature
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey
from station.store.pending import VERSION
from tests.fuzz import repair, trees

KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
"""Equal seeds are equal bytes."""

_BLOCK = 0xFFFF


# --- bundles ----------------------------------------------------------------------------------


def bundle(members: Mapping[str, bytes]) -> bytes:
    """The archive as a station writes it, but for what packs its contents: the same bytes whatever
    packer there is."""
    infos, files = [], bytearray()
    for name, content in members.items():
        packed = _stored(content)
        info = ZipInfo(name, framing.DAWN)
        info.CRC, info.compress_size, info.file_size = (
            zlib.crc32(content),
            len(packed),
            len(content),
        )
        infos.append(info)
        files += framing._headers(info)[0] + packed
    entries = b"".join(framing._entries(info, at)[0] for info, at in framing._placed(infos))
    return bytes(files) + entries + framing._end(len(infos), len(entries), len(files))


def _stored(content: bytes) -> bytes:
    """Blocks that are not packed, by RFC 1951 3.2.4."""
    blocks = [content[at : at + _BLOCK] for at in range(0, len(content), _BLOCK)] or [b""]
    last = len(blocks) - 1
    return b"".join(
        struct.pack("<BHH", number == last, len(block), len(block) ^ _BLOCK) + block
        for number, block in enumerate(blocks)
    )


def signed_bundle(data: bytes) -> bytes:
    """Counts, digests and signature are those of its attempts."""
    found = _contents(data)
    try:
        told = json.loads(found[MANIFEST])
        _count(told, found)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return bundle(found)
    found[MANIFEST] = json.dumps(told).encode()
    found[SIGNATURE] = Signature.of(found[MANIFEST], KEY).to_bytes()
    return bundle({name: found[name] for name in MEMBERS})


def _count(manifest: dict[str, Any], members: Mapping[str, bytes]) -> None:
    lines = members[LINES].splitlines()
    manifest["attempts"] = len(lines)
    manifest["open"] = sum(b'"outcome": null' in line for line in lines)
    for file, name in zip(manifest["files"], (LINES, TABLE), strict=True):
        content = members[name]
        file |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        file |= {"rows": len(lines)}


def bundle_tree(data: bytes) -> dict[str, Any]:
    """Its members as values."""
    found = _contents(data)
    return {
        LINES: trees.load_lines(found[LINES]),
        TABLE: list(csv.reader(io.StringIO(found[TABLE].decode(), newline=""))),
        **{name: json.loads(found[name]) for name in (MANIFEST, SIGNATURE)},
    }


def bundle_of_tree(tree: dict[str, Any]) -> bytes:
    told: dict[str, Callable[[Any], bytes]] = {
        LINES: trees.dump_lines,
        TABLE: _table,
        MANIFEST: lambda value: json.dumps(value).encode(),
        SIGNATURE: lambda value: json.dumps(value).encode(),
    }
    return bundle({name: told[name](value) for name, value in tree.items()})


def _table(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _contents(data: bytes) -> dict[str, bytes]:
    return {member.name.decode(errors="replace"): member.content for member in repair.members(data)}


# --- results that wait ------------------------------------------------------------------------


def result_file(payload: bytes) -> bytes:
    head = {"version": VERSION, "sha256": hashlib.sha256(payload).hexdigest()}
    return json.dumps(head).encode() + b"\n" + payload + b"\n"


def digested_result(data: bytes) -> bytes:
    return result_file(_payload(data))


def result_tree(data: bytes) -> Any:  # noqa: ANN401 - any value
    return json.loads(_payload(data))


def result_of_tree(tree: Any) -> bytes:  # noqa: ANN401 - any value
    return result_file(json.dumps(tree).encode())


def _payload(data: bytes) -> bytes:
    return data.partition(b"\n")[2].removesuffix(b"\n")


# --- checkpoints ------------------------------------------------------------------------------


def signed_checkpoints(data: bytes) -> bytes:
    """Each line that tells of one, by its own key."""
    return b"".join(map(_signed, data.splitlines(keepends=True)))


def _signed(line: bytes) -> bytes:
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        told = json.loads(line)
        told.pop("format", None)
        return Checkpoint(**told).signed(KEY).line().encode() + b"\n"
    return line


# --- transcripts ------------------------------------------------------------------------------


def packed(content: bytes) -> bytes:
    """A gzip member, by RFC 1952 2.3, the same bytes whatever packer there is."""
    return _GZIP + _stored(content) + struct.pack("<II", zlib.crc32(content), len(content))


def unpacked(data: bytes) -> bytes:
    """Whatever length and checksum it has. Raises zlib.error."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[len(_GZIP) :], 1 << 20)


def packed_anew(data: bytes) -> bytes:
    """With the length and checksum of what can be unpacked."""
    try:
        return packed(unpacked(data))
    except zlib.error:
        return data


_GZIP = bytes.fromhex("1f8b0800 00000000 02ff")
