"""Every parser of bytes that others wrote: what it may raise, and where its corpus lies.

`contents.xml` of a package is not here: it is never read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from station.errors import (
    AtError,
    AtSilent,
    BadBundle,
    ConfigError,
    Crashed,
    DiagError,
    EvidenceDamaged,
    FirehoseError,
    FirehoseSilent,
    ImageRefused,
    Nak,
    NoCheckpoint,
    NoHello,
    OtherProtocol,
    PackageError,
    PackageHostile,
    PackageIncomplete,
    ProgrammerRejected,
    RawprogramInvalid,
    RecordChanged,
    ResultSetAside,
    SaharaError,
    StationError,
    UsageError,
    WrongProgrammer,
)
from tests.fuzz import files, kept, mutate, parts, repair, sealed, trees, wire, words
from tests.fuzz.mutate import Damage, Repair
from tests.fuzz.seeds import CORPUS

Allowed = tuple[type[StationError], ...]


@dataclass(frozen=True, slots=True)
class Parser:
    """Takes bytes; `allowed` is all that may come out of it. `repair`: what it looks at first is
    made right again in most of what it is given."""

    run: Callable[[bytes], None]
    allowed: Allowed
    repair: Repair | None = None

    def accepts(self, data: bytes) -> bool:
        """Lets through what it may not raise."""
        try:
            self.run(data)
        except self.allowed:
            return False
        return True

    def __repr__(self) -> str:
        return self.run.__name__


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """Parsers that read the same bytes. `words` and `damages` are for the mutator; `guided`: the
    coverage-guided fuzzer runs it, too."""

    name: str
    parsers: tuple[Parser, ...]
    words: tuple[bytes, ...]
    damages: tuple[Damage, ...] = ()
    guided: bool = False

    @property
    def corpus(self) -> Path:
        return CORPUS / self.name

    def seeds(self) -> list[bytes]:
        return _files(self.corpus)

    def damage(self, rng: Random, data: bytes, parser: Parser | None = None) -> bytes:
        """`parser`: the one that is to be got into, by default any."""
        right = (parser or rng.choice(self.parsers)).repair
        return mutate.mutate(rng, data, self.seeds(), self.words, self.damages, right)

    def damaged(self, rng: Random, parser: Parser | None = None) -> bytes:
        """Mostly one of those that this parser accepts, or any of them."""
        meant = parser or rng.choice(self.parsers)
        seeds = _accepted(self, meant) if rng.random() < 0.8 else self.seeds()
        return self.damage(rng, rng.choice(seeds), meant)

    def __repr__(self) -> str:
        return self.name

    def check(self, data: bytes) -> None:
        """Lets through what no parser may raise."""
        for parser in self.parsers:
            parser.accepts(data)


@cache
def _files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@cache
def _accepted(target: Target, parser: Parser) -> list[bytes]:
    return list(filter(parser.accepts, target.seeds())) or target.seeds()


_LOADING = (SaharaError, ImageRefused, ProgrammerRejected, Crashed)
_HELD = (NoCheckpoint, RecordChanged)
_FIREHOSE = (FirehoseError, FirehoseSilent, Nak, WrongProgrammer)
TARGETS = (
    Target(
        "sahara",
        (
            Parser(wire.sahara_packets, (SaharaError,), repair.lengths),
            Parser(wire.sahara_greet, (SaharaError, NoHello, Crashed), repair.lengths),
            Parser(wire.sahara_load, _LOADING, repair.loading),
            Parser(wire.sahara_chip, (Crashed,), repair.lengths),
        ),
        words.SAHARA,
        parts.by_parts(parts.packets),
        guided=True,
    ),
    Target(
        "firehose",
        (
            Parser(wire.firehose_document, (FirehoseError,), repair.documents),
            Parser(wire.firehose_messages, (FirehoseError,), repair.documents),
            Parser(wire.firehose_report, (FirehoseError,)),
            Parser(wire.firehose_configure, _FIREHOSE, repair.answered(2)),
            Parser(wire.firehose_storage, _FIREHOSE, repair.answered(1)),
            Parser(wire.firehose_program, _FIREHOSE, repair.answered(2)),
            Parser(wire.firehose_read, _FIREHOSE, repair.data_read),
            Parser(wire.firehose_session, _FIREHOSE, repair.answered(5)),
        ),
        words.FIREHOSE,
        parts.by_parts(parts.ending(wire.DOCUMENT_END)),
        guided=True,
    ),
    Target(
        "diag",
        (
            Parser(wire.diag_frames, (), repair.checksums),
            Parser(wire.diag_frame, (DiagError,), repair.one_frame),
            Parser(wire.diag_version, (), repair.checksums),
            Parser(wire.diag_switch, (DiagError,), repair.checksums),
        ),
        words.DIAG,
        parts.by_parts(parts.ending(wire.FRAME_END)),
        guided=True,
    ),
    Target(
        "at",
        (
            Parser(wire.at_text, ()),
            Parser(wire.at_identity, (AtError, AtSilent), repair.replies),
            Parser(wire.at_backup, (AtError, AtSilent), repair.counted_replies),
        ),
        words.AT,
        parts.by_parts(parts.ending(b"\n")),
        guided=True,
    ),
    Target(
        "rawprogram",
        (Parser(files.rawprogram, (RawprogramInvalid, PackageHostile), repair.xml("data")),),
        words.RAWPROGRAM,
        parts.by_parts(parts.elements),
    ),
    Target(
        "patch",
        (Parser(files.patch, (RawprogramInvalid, PackageHostile), repair.xml("patches")),),
        words.TAGS,
        parts.by_parts(parts.elements),
    ),
    Target(
        "md5_list",
        (Parser(files.md5_list, (PackageIncomplete, PackageHostile), repair.md5_lines),),
        words.MD5_LIST,
        parts.by_parts(parts.ending(b"\n")),
    ),
    Target("zip", (Parser(files.zip_archive, (PackageError,), repair.archive),), words.ZIP),
    Target(
        "partition_table",
        (Parser(files.partition_table, (PackageIncomplete,), repair.partition_table),),
        words.MIBIB,
        parts.by_parts(parts.table_entries),
    ),
    Target("campaign", (Parser(files.campaign, (ConfigError,)),), words.YAML, trees.yaml_trees()),
    Target("recipe", (Parser(files.recipe, (ConfigError,)),), words.YAML, trees.yaml_trees()),
    Target("settings", (Parser(files.settings, (ConfigError,)),), words.YAML, trees.yaml_trees()),
    Target("slot_map", (Parser(files.slot_map, (ConfigError,)),), words.YAML, trees.yaml_trees()),
    Target("families", (Parser(files.families, (ConfigError,)),), words.YAML, trees.yaml_trees()),
    Target("command", (Parser(files.command, (UsageError,)),), words.JSON, trees.json_trees()),
    Target("message", (Parser(files.message, (OtherProtocol,)),), words.JSON, trees.json_trees()),
    Target(
        "bundle",
        (Parser(kept.bundle, (BadBundle,), sealed.signed_bundle),),
        words.BUNDLE,
        trees.by_tree(sealed.bundle_tree, sealed.bundle_of_tree),
    ),
    Target(
        "result",
        (
            Parser(kept.result_file, (ResultSetAside,), sealed.digested_result),
            Parser(kept.result_recorded, (ResultSetAside,), sealed.digested_result),
        ),
        words.JSON,
        trees.by_tree(sealed.result_tree, sealed.result_of_tree),
    ),
    Target(
        "checkpoints",
        (
            Parser(kept.checkpoint_line, (NoCheckpoint,), sealed.signed_checkpoints),
            Parser(kept.checkpoints, _HELD, sealed.signed_checkpoints),
        ),
        words.JSON,
        trees.json_lines(),
    ),
    Target(
        "transcript",
        (Parser(kept.transcript, (EvidenceDamaged,)),),
        words.TRANSCRIPT,
        (*trees.json_lines(), *parts.by_parts(parts.ending(b"\n"))),
    ),
    Target(
        "packed_transcript",
        (Parser(kept.packed_transcript, (EvidenceDamaged,), sealed.packed_anew),),
        words.TRANSCRIPT,
        trees.by_tree(
            lambda data: trees.load_lines(sealed.unpacked(data)),
            lambda values: sealed.packed(trees.dump_lines(values)),
        ),
    ),
)


def target_named(name: str) -> Target:
    """Raises KeyError."""
    return {target.name: target for target in TARGETS}[name]
