"""Bundles as a station makes them, and as somebody makes them who wants to be believed."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from station.bundle.manifest import (
    LINES,
    MANIFEST,
    MEMBERS,
    SIGNATURE,
    File,
    Head,
    Manifest,
    Question,
    Signature,
)
from station.bundle.writing import Told, member_of, write_bundle
from station.seal.keys import PrivateKey
from tests.store.samples import a_key

KEY = a_key()
COLUMNS = ("attempt_id", "slot", "failure_cause")


def told(number: int, **changes: object) -> Told:
    full = {
        "attempt_id": f"01a8b000-0000-7000-8000-{number:012x}",
        "slot": "A1",
        "outcome": "PASS",
        "unit": {"imei": "864266050000011"},
        "started_utc": "2026-11-28T12:00:00.000000Z",
        "steps": [],
        **changes,
    }
    cells = [str(full["attempt_id"]), "A1", 'two\nlines, "quoted"']
    return Told(json.dumps(full), cells, full["outcome"] is None)


def about(attempts: int, still_open: int, files: tuple[File, File]) -> Manifest:
    return Manifest(
        format=1,
        station="line-1",
        site="graz",
        utc_us=1_790_000_000_123_456,
        software_version="0.1.0",
        schema_revision="0006",
        verified=True,
        question=Question(words="slot A1", asked={"slot": "A1"}),
        attempts=attempts,
        open=still_open,
        files=files,
        heads=(Head(station="line-1", seq=7, hash="ab" * 32),),
        checkpoints=(),
    )


def bundle(path: Path, count: int = 3, key: PrivateKey = KEY) -> Path:
    def attempts() -> Iterator[Told]:
        yield from map(told, range(count))
        yield told(count, outcome=None)

    write_bundle(path, COLUMNS, attempts(), about, key)
    return path


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, members: dict[str, bytes]) -> Path:
    """As a station packs them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            with member_of(archive, name) as member:
                member.write(content)
    return path


def edited(path: Path, name: str, edit: Callable[[bytes], bytes]) -> Path:
    """One member changed, and nothing else."""
    members = contents(path)
    members[name] = edit(members[name])
    return packed(path.with_name("edited.zip"), members)


def forged(path: Path, edit: Callable[[dict[str, bytes]], None]) -> Path:
    """Members changed, and all that is told of them made to fit; signed by the forger."""
    import hashlib

    members = contents(path)
    edit(members)
    manifest = json.loads(members[MANIFEST])
    for file in manifest["files"]:
        content = members[file["name"]]
        file |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return signed(path.with_name("forged.zip"), members, manifest)


def signed(path: Path, members: dict[str, bytes], manifest: object) -> Path:
    """With this manifest, signed with our key: what only a faulty station would make."""
    members[MANIFEST] = json.dumps(manifest).encode()
    members[SIGNATURE] = Signature.of(members[MANIFEST], KEY).to_bytes()
    return packed(path, {name: members[name] for name in MEMBERS})


def lines(members: dict[str, bytes]) -> list[bytes]:
    return members[LINES].splitlines(keepends=True)
