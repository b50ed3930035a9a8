"""Files of packages and of people, and lines of the socket, to begin with."""

import io
import json
import struct
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from station.firmware.mibib import compose_partition_table
from station.live import LogLine
from station.sim.images import partition_table
from station.sim.layouts import family_names, layout_of
from station.sim.package import patch, rawprogram
from station.wire import Answer, Beat, Hello, Logged, Message, Refusal, message_line
from tests.firmware.quectel import PATCH, RAWPROGRAM, md5_list, member

CONFIG = Path(__file__).parents[2] / "config"

Seeds = dict[str, bytes]

FAMILY = b"""families:
  a: {title: A, usb: ["2c7c:0125"], exceptions: {"2c7c:0125": {at: 3}}}
devices:
  - {usb: ["05c6:9008"], mode: edl, what: boot ROM}
  - {usb: ["2c7c:6*", "05c6:*"], mode: unknown, what: strange}
edl_default: a
"""
OTHER_FAMILY = b"""
  b:
    title: B
    usb: ["2c7c:0800", "2c7c:0801"]
    alone: crashed
    interfaces: {diag: 0, at: 2}
    firehose: {zlp: false, payload_bytes: 16384}
    chip_identity: false
    module_backup: true"""


def package_seeds() -> dict[str, Seeds]:
    layouts = {family: layout_of(family) for family in family_names()}
    vendor = '<erase vendor="quectel" a_rawdata_start_sector="0" c_project_name="EC25"/>'
    odd = (
        f"<data>\n{vendor}\n"
        '<erase PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="0" start_sector="0"/>\n'
        '<program filename="" start_sector="0"/>\n'
        '<patch filename="partition_complete.mbn" value="0"/>\n</data>'
    )
    files = {"md5.txt": md5_list({"update/a.mbn": b"a"}), "update/a.mbn": b"a", RAWPROGRAM: b""}
    growing = '<program filename="DISK" start_sector="NUM_DISK_SECTORS-33."/>'
    return {
        "rawprogram": {
            **{name: rawprogram(layout).encode() for name, layout in layouts.items()},
            "odd": odd.encode(),
            "expression": f"<data>{growing}</data>".encode(),
        },
        "patch": {
            **{name: patch(layout).encode() for name, layout in layouts.items()},
            "disk": b'<patches><patch filename="DISK" value="0"/></patches>',
        },
        "md5_list": {
            "quectel": md5_list({"update/sbl1.mbn": b"a", PATCH: b"b", "contents.xml": b"c"}),
            "empty": md5_list({}),
            "upwards": md5_list({"../a": b"a"}),
        },
        "partition_table": {
            **{name: partition_table(layout)[:8192] for name, layout in layouts.items()},
            "none": compose_partition_table((), 2048) * 2,
            "claims_too_many": _numbered(compose_partition_table((), 2048), 2048 + 12, 0x10000),
            "claims_one_too_many": _numbered(compose_partition_table((), 2048), 2048 + 12, 73),
        },
        "zip": {
            "release": _zip(files),
            "wrapped": _zip({f"EC25/{path}": data for path, data in files.items()}),
            "backslashes": _zip({path.replace("/", "\\"): data for path, data in files.items()}),
            "upwards": _zip({"md5.txt": b"", "../a": b"a"}),
            "empty": _zip({}),
            "of_a_later_version": _zip(files).replace(b"PK\1\2\x14\0\x14", b"PK\1\2\x14\0\x63"),
        },
    }


def _numbered(data: bytes, at: int, number: int) -> bytes:
    return data[:at] + struct.pack("<I", number) + data[at + 4 :]


def _zip(files: Seeds) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(member(name, ZIP_STORED), data)
    return packed.getvalue()


def config_seeds() -> dict[str, Seeds]:
    slots = 'slots:\n  A1: {ports: ["1-1.1", "2-1.1"], recipe: "r"}\n  "no": {ports: ["1-2"]}\n'
    hub = 'hubs:\n  h1: {at: "pci-0000:00:14.0-usb-0:1", usb_id: "05e3:0608", ports: 4}\n'
    station = (CONFIG / "station.yaml").read_bytes()
    recipes = {path.stem: path.read_bytes() for path in (CONFIG / "recipes").glob("*.yaml")}
    nightly = (CONFIG / "campaigns" / "nightly.yaml").read_bytes()
    return {
        "campaign": {"nightly": nightly, "trap": b"name: nightly\nrecipes: [a]\nstop_at: 05:30\n"},
        "recipe": {**recipes, "traps": b"name: no\nrevision: 010\nmatch: {sku: [1e3]}\n"},
        "settings": {
            "shipped": station,
            "elsewhere": station.partition(b"\nslots:")[0] + b"\nslots: other.yaml\n",
            "alias": b"a: &x [1]\nb: *x\n",
            "escape_of_nothing": b'station: "\\UFFFFFFFF"\n',
        },
        "slot_map": {"slots": slots.encode(), "hubs": (slots + hub).encode()},
        "families": {
            "one": FAMILY,
            "two": FAMILY.replace(b"\ndevices", OTHER_FAMILY + b"\ndevices"),
            "id_twice": FAMILY.replace(b'"05c6:9008"', b'"2c7c:0125"'),
        },
    }


def socket_seeds() -> dict[str, Seeds]:
    arm = {
        "do": "arm", "operator": "maria", "target": 200, "expect": ["A1"], "id": "1",
        "recipes": [{"name": "r1", "sha256": "a" * 64}],
    }  # fmt: skip
    commands = {
        "arm": arm,
        "retry": {"do": "retry", "slot": "A3", "by": "maria"},
        "hold": {"do": "hold", "slot": "A5", "reason": "bent pin"},
        "stop": {"do": "stop", "now": True},
        "campaign_run": {"do": "campaign_run", "name": "nightly", "by": "timer"},
        "campaign_abort": {"do": "campaign_abort", "by": "eva", "reason": "fire alarm"},
        "hands": {"do": "hands", "action": "unplug", "slot": "A1"},
        "unknown": {"do": "reboot"},
    }
    refusal = Refusal("L001", "headline", "cause", "remedy")
    line = LogLine(5, "A1", "module: \u2028 x")
    said: dict[str, Message] = {
        "hello": Hello(1, "line-1", "site", "0.1", "e1", (("A1", "A2"),), True),
        "answer": Answer("1", None, {"rows": [1, {"a": None}]}),
        "refused": Answer(None, refusal),
        "log": Logged(2, (line,)),
        "beat": Beat(3, 1_700_000_000_000_000),
    }
    return {
        "command": {name: json.dumps(value).encode() for name, value in commands.items()},
        "message": {name: message_line(value) for name, value in said.items()},
    }
