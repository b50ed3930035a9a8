"""Who listens while a module is worked on. Nothing that listens may fail or make us wait long."""

from typing import Protocol

from station.errors import StationError
from station.protocols.dialogue import SendSpan


class Tape(Protocol):
    """Told in the order of events; keeps its own time."""

    def sent(self, data: bytes) -> None: ...

    def received(self, data: bytes, *, is_payload: bool) -> None: ...

    def spanned(self, span: SendSpan, taken_bytes: int, chunks: int, began: float) -> None: ...

    def trouble(self, error: StationError) -> None: ...

    def said(self, kind: str, text: str) -> None: ...

    async def settle(self) -> None:
        """Between two dialogues: a good moment to put away what was heard."""
        ...


class NoTape:
    """Nobody listens."""

    def sent(self, data: bytes) -> None:
        pass

    def received(self, data: bytes, *, is_payload: bool) -> None:
        pass

    def spanned(self, span: SendSpan, taken_bytes: int, chunks: int, began: float) -> None:
        pass

    def trouble(self, error: StationError) -> None:
        pass

    def said(self, kind: str, text: str) -> None:
        pass

    async def settle(self) -> None:
        pass
