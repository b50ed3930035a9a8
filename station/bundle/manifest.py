"""What a bundle says of itself, and its signature."""

import json
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, ValidationError

from station.config.strict import Strict
from station.errors import BadBundle
from station.seal.keys import PrivateKey, is_signed

FORMAT: Literal[1] = 1

LINES = "attempts.jsonl"
TABLE = "attempts.csv"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
MEMBERS = (LINES, TABLE, MANIFEST, SIGNATURE)

MAX_MANIFEST_BYTES = 1 << 20
MAX_SIGNATURE_BYTES = 4096
MOST_STATIONS = 1000

_Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, le=2**62)]
_Words = Annotated[str, Field(max_length=4096)]


class File(Strict):
    """`rows`: attempts in it; the header of a table is none."""

    name: Literal["attempts.jsonl", "attempts.csv"]
    sha256: _Hex32
    bytes: _Count
    rows: _Count


class Head(Strict):
    """The last link of a station's chain when the question was answered."""

    station: _Words
    seq: _Count
    hash: _Hex32


class SignedUpTo(Strict):
    """A station's newest checkpoint; see `station.seal.checkpoint`."""

    station: _Words
    seq: _Count
    hash: _Hex32
    utc_us: int
    reason: _Words
    public_key: _Hex32
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class Question(Strict):
    """`asked`: the conditions by name, all of which hold."""

    words: _Words
    asked: Annotated[dict[_Words, _Words | int | bool], Field(max_length=64)]


class Manifest(Strict):
    """`open`: attempts among them without an end. `verified`: whether each row of the record, up to
    the heads, had been found to be as it was written."""

    format: Literal[1]
    station: _Words
    site: _Words
    utc_us: int
    software_version: _Words
    schema_revision: _Words
    verified: bool
    question: Question
    attempts: _Count
    open: _Count
    files: Annotated[tuple[File, ...], Field(min_length=2, max_length=2)]
    heads: Annotated[tuple[Head, ...], Field(max_length=MOST_STATIONS)]
    checkpoints: Annotated[tuple[SignedUpTo, ...], Field(max_length=MOST_STATIONS)]

    def to_bytes(self) -> bytes:
        return (json.dumps(self.model_dump(), indent=1) + "\n").encode("ascii")


class Signature(Strict):
    format: Literal[1]
    public_key: _Hex32
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]

    @classmethod
    def of(cls, told: bytes, key: PrivateKey) -> Self:
        return cls(format=FORMAT, public_key=key.public, signature=key.sign(told).hex())

    def to_bytes(self) -> bytes:
        return (json.dumps(self.model_dump()) + "\n").encode("ascii")

    def is_of(self, told: bytes) -> bool:
        return is_signed(told, self.signature, self.public_key)


M = TypeVar("M", Manifest, Signature)


def parse(model: type[M], told: bytes, name: str) -> M:
    """Raises BadBundle naming the first thing that is wrong."""
    try:
        return model.model_validate_json(told)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise BadBundle(f"{name}: {where[:80]}: {first['msg'][:200]}") from error
