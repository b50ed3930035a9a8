"""Plays the module's part for one dialogue: `run(dialogue, Host(...), Module(...), SILENCE)`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Never, TypeVar, assert_never

from station.errors import StationError, Timeout
from station.protocols.dialogue import Dialogue, Notice, Progress, Receive, Send, SendSpan

T = TypeVar("T")
SILENCE = Timeout("silence, says the script")


@dataclass(frozen=True, slots=True)
class Host:
    """One transfer the host must send now, exactly so; `zlp=None`: either way."""

    data: bytes
    zlp: bool | None = None


@dataclass(frozen=True, slots=True)
class Module:
    """What the next `Receive` is answered."""

    data: bytes


Step = Host | Module | StationError
"""An error is thrown at the intent it meets: a Receive, or the Send that finds it in its place."""


def run(dialogue: Dialogue[T], *steps: Step, shown: list[Notice | Progress] | None = None) -> T:
    """The dialogue's result, once every step was used in order; its errors pass through.

    Notices and progress go to `shown`. A read with zero time-out that meets no Module step is
    silent by itself (drains need no steps).
    """
    left = list(steps)
    answer: bytes | None = None
    error: StationError | None = None
    try:
        while True:
            intent = dialogue.throw(error) if error else dialogue.send(answer)
            answer, error = None, None
            match intent:
                case Progress() | Notice():
                    if shown is not None:
                        shown.append(intent)
                case Receive() if intent.timeout_s == 0 and not _is_said(left):
                    error = SILENCE
                case Receive() | Send() | SendSpan():
                    assert left, f"the script is over, the dialogue wants {intent}"
                    step = left.pop(0)
                    if isinstance(step, StationError):
                        error = step
                    else:
                        answer = _meet(intent, step)
                case _:
                    assert_never(intent)
    except StopIteration as end:
        assert not left, f"never used: {left}"
        result: T = end.value
        return result
    except StationError:
        assert not left, f"never used: {left}"
        raise


def _is_said(left: list[Step]) -> bool:
    return bool(left) and isinstance(left[0], Module)


def _meet(intent: Receive | Send | SendSpan, step: Host | Module) -> bytes | None:
    if isinstance(intent, Receive):
        assert isinstance(step, Module), f"the dialogue reads, the script expects {step}"
        assert len(step.data) <= intent.max_bytes
        return step.data
    data = intent.data if isinstance(intent, Send) else _span(intent)
    assert isinstance(step, Host), f"the dialogue sends {data!r}, the script expects {step}"
    assert data == step.data, f"sent {data.hex()} instead of {step.data.hex()}"
    assert step.zlp in (None, intent.zlp)
    return None


def _span(span: SendSpan) -> bytes:
    own = span.source.pread(span.offset_bytes, span.length_bytes)
    if span.sent is not None:
        span.sent(own)
    return own.ljust(span.length_bytes, b"\0")


def feed(dialogue: Dialogue[Any], reads: Iterable[bytes]) -> Never:
    """Answer each read with the next of `reads`, then with silence, until the dialogue ends.

    Always raises: StopIteration with its result, or what the dialogue raises.
    """
    answers = iter(reads)
    intent = next(dialogue)
    while True:
        data = next(answers, None) if isinstance(intent, Receive) else None
        if isinstance(intent, Receive) and data is None:
            intent = dialogue.throw(SILENCE)
        else:
            intent = dialogue.send(data)
