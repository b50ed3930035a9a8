"""Every parser of bytes that others wrote: what it may raise, and where its corpus lies.

`contents.xml` of a package is not here: it is never read.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from station.errors import (
    AtError,
    AtSilent,
    ConfigError,
    Crashed,
    DiagError,
    FirehoseError,
    FirehoseSilent,
    ImageRefused,
    Nak,
    NoHello,
    OtherProtocol,
    PackageError,
    PackageHostile,
    PackageIncomplete,
    ProgrammerRejected,
    RawprogramInvalid,
    SaharaError,
    StationError,
    UsageError,
    WrongProgrammer,
)
from tests.fuzz import files, mutate, wire, words
from tests.fuzz.seeds import CORPUS

Allowed = tuple[type[StationError], ...]


@dataclass(frozen=True, slots=True)
class Parser:
    """Takes bytes; `allowed` is all that may come out of it."""

    run: Callable[[bytes], None]
    allowed: Allowed


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """Parsers that read the same bytes. `words` are for the mutator; `guided`: the coverage-guided
    fuzzer runs it, too."""

    name: str
    parsers: tuple[Parser, ...]
    words: tuple[bytes, ...]
    repair: Callable[[bytes], bytes] | None = None
    guided: bool = False

    @property
    def corpus(self) -> Path:
        return CORPUS / self.name

    def seeds(self) -> list[bytes]:
        return _files(self.corpus)

    def damage(self, rng: Random, data: bytes) -> bytes:
        return mutate.mutate(rng, data, self.seeds(), self.words, self.repair)

    def damaged(self, rng: Random) -> bytes:
        return self.damage(rng, rng.choice(self.seeds()))

    def __repr__(self) -> str:
        return self.name

    def check(self, data: bytes) -> None:
        """Lets through what no parser may raise."""
        for parser in self.parsers:
            with suppress(*parser.allowed):
                parser.run(data)


@cache
def _files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())]


_LOADING = (SaharaError, ImageRefused, ProgrammerRejected, Crashed)
_FIREHOSE = (FirehoseError, FirehoseSilent, Nak, WrongProgrammer)
TARGETS = (
    Target(
        "sahara",
        (
            Parser(wire.sahara_packets, (SaharaError,)),
            Parser(wire.sahara_greet, (SaharaError, NoHello, Crashed)),
            Parser(wire.sahara_load, _LOADING),
            Parser(wire.sahara_chip, (Crashed,)),
        ),
        words.SAHARA,
        mutate.right_lengths,
        guided=True,
    ),
    Target(
        "firehose",
        (
            Parser(wire.firehose_document, (FirehoseError,)),
            Parser(wire.firehose_messages, (FirehoseError,)),
            Parser(wire.firehose_report, (FirehoseError,)),
            Parser(wire.firehose_configure, _FIREHOSE),
            Parser(wire.firehose_storage, _FIREHOSE),
            Parser(wire.firehose_program, _FIREHOSE),
            Parser(wire.firehose_read, _FIREHOSE),
            Parser(wire.firehose_session, _FIREHOSE),
        ),
        words.FIREHOSE,
        guided=True,
    ),
    Target(
        "diag",
        (
            Parser(wire.diag_frames, ()),
            Parser(wire.diag_frame, (DiagError,)),
            Parser(wire.diag_version, ()),
            Parser(wire.diag_switch, (DiagError,)),
        ),
        words.DIAG,
        mutate.right_checksums,
        guided=True,
    ),
    Target(
        "at",
        (
            Parser(wire.at_text, ()),
            Parser(wire.at_identity, (AtError, AtSilent)),
            Parser(wire.at_backup, (AtError, AtSilent)),
        ),
        words.AT,
        guided=True,
    ),
    Target(
        "rawprogram",
        (Parser(files.rawprogram, (RawprogramInvalid, PackageHostile)),),
        words.RAWPROGRAM,
    ),
    Target("patch", (Parser(files.patch, (RawprogramInvalid, PackageHostile)),), words.TAGS),
    Target(
        "md5_list",
        (Parser(files.md5_list, (PackageIncomplete, PackageHostile)),),
        words.MD5_LIST,
    ),
    Target(
        "zip",
        (Parser(files.zip_archive, (PackageError,)),),
        words.ZIP,
    ),
    Target(
        "partition_table",
        (Parser(files.partition_table, (PackageIncomplete,)),),
        words.MIBIB,
    ),
    Target("campaign", (Parser(files.campaign, (ConfigError,)),), words.YAML),
    Target("recipe", (Parser(files.recipe, (ConfigError,)),), words.YAML),
    Target("settings", (Parser(files.settings, (ConfigError,)),), words.YAML),
    Target("slot_map", (Parser(files.slot_map, (ConfigError,)),), words.YAML),
    Target("command", (Parser(files.command, (UsageError,)),), words.JSON),
    Target("message", (Parser(files.message, (OtherProtocol,)),), words.JSON),
)


def target_named(name: str) -> Target:
    """Raises KeyError."""
    return {target.name: target for target in TARGETS}[name]
