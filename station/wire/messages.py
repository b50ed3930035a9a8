"""The lines an engine sends to whoever is connected: JSON, one object a line, UTF-8.

    hello       first line of every connection
    answer      to each command, with the command's id
    snapshot, slot, line, log, transcript, beat
                only after `watch`, numbered 1, 2, 3 … by `seq` for this connection

A slot and the line are sent whole, never as differences: what was missed does not matter, and
a slow screen gets fewer of them. A gap in `seq` means that lines were lost: connect again.
"""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from station.errors import OtherProtocol
from station.live import LineView, LogLine, SlotView

PROTOCOL = 1
"""Changes when an older screen would misunderstand the engine or the other way round."""

MAX_MESSAGE_BYTES = 4 << 20
"""No line is longer; a snapshot of 256 slots has about half a megabyte."""


@dataclass(frozen=True, slots=True)
class Hello:
    """`rows`: the slots as they lie on the fixture. `hands`: modules are simulated and can be
    plugged and pulled by command."""

    protocol: int
    station: str
    site: str
    software: str
    engine: str
    """Differs for every start of an engine."""
    rows: tuple[tuple[str, ...], ...]
    hands: bool
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    headline: str
    cause: str
    remedy: str


def _finite(data: dict[str, Any]) -> dict[str, Any]:
    """JSON has no other numbers, but 1e999 is read as one. Raises ValueError."""
    json.dumps(data, allow_nan=False)
    return data


@dataclass(frozen=True, slots=True)
class Answer:
    """`refused` is None for a command that was carried out."""

    id: str | None
    refused: Refusal | None = None
    data: Annotated[dict[str, Any], AfterValidator(_finite)] = field(default_factory=dict)
    type: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at once; `log` is its newest part."""

    seq: int
    utc_us: int
    line: LineView
    slots: tuple[SlotView, ...]
    log: tuple[LogLine, ...]
    type: Literal["snapshot"] = "snapshot"


@dataclass(frozen=True, slots=True)
class SlotChanged:
    seq: int
    slot: SlotView
    type: Literal["slot"] = "slot"


@dataclass(frozen=True, slots=True)
class LineChanged:
    seq: int
    line: LineView
    type: Literal["line"] = "line"


@dataclass(frozen=True, slots=True)
class Logged:
    seq: int
    lines: tuple[LogLine, ...]
    type: Literal["log"] = "log"


@dataclass(frozen=True, slots=True)
class Transcript:
    """Lines of the slot that is followed; `anew`: forget those before."""

    seq: int
    slot: str
    lines: tuple[LogLine, ...]
    anew: bool
    type: Literal["transcript"] = "transcript"


@dataclass(frozen=True, slots=True)
class Beat:
    """The engine lives; its clock, once a second."""

    seq: int
    utc_us: int
    type: Literal["beat"] = "beat"


Message = Hello | Answer | Snapshot | SlotChanged | LineChanged | Logged | Transcript | Beat

_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def message_line(message: Message) -> bytes:
    """The message as one line of ASCII JSON with its line end."""
    return _MESSAGES.dump_json(message, ensure_ascii=True) + b"\n"


def parse_message(line: bytes) -> Message:
    """Raises OtherProtocol for what this software does not understand."""
    try:
        return _MESSAGES.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise OtherProtocol(f"the engine sent something unknown: {place}: {first['msg']}") from None
