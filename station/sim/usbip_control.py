"""A socket to a rehearsal: one JSON object a line asks, one a line answers.

    {"do": "plug", "slot": "A3", "fault": "nak"}      {"ok": true, "data": null}
    {"do": "unplug", "slot": "A9"}                    {"ok": false, "code": "R309", "cause": ...}

`plug` `unplug` `power` (`to`: off, on, cycle) `status` `calibration` `breaches` `dump` (`folder`:
absolute, made by it) `stop`. Whoever may open the socket may do all of it.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Literal

import trio
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from station.errors import Bug, StationError, UsageError
from station.sim.rehearsal import Rehearsal

MAX_LINE_BYTES = 4096
MAX_CONNECTIONS = 16
IDLE_S = 60.0
"""Who sends no whole line, or takes no answer, in this time is gone."""

_Name = Field(default=None, max_length=64)


class Request(BaseModel):
    """What a line may say; anything else is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    do: Literal[
        "plug", "unplug", "power", "status", "calibration", "breaches", "dump", "stop"
    ]  # fmt: skip
    slot: str | None = _Name
    fault: str | None = _Name
    to: str | None = _Name
    folder: str | None = Field(default=None, max_length=1024)


class Control:
    """Answers the control socket; `stop` is called when somebody asks for the end."""

    def __init__(
        self, rehearsal: Rehearsal, stop: Callable[[], None], *, patience: float = 1.0
    ) -> None:
        self._rehearsal = rehearsal
        self._stop = stop
        self._idle_s = IDLE_S * patience
        self._connections = 0

    async def serve(
        self,
        listener: trio.SocketListener,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Answer whoever connects, until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._receive, [listener])
            task_status.started()

    async def _receive(self, stream: trio.SocketStream) -> None:
        self._connections += 1
        try:
            async with stream:
                if self._connections <= MAX_CONNECTIONS:
                    await self._converse(stream)
        except (trio.BrokenResourceError, trio.TooSlowError):
            pass  # it left, or does not speak
        finally:
            self._connections -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        buffer = bytearray()
        while True:
            with trio.fail_after(self._idle_s):
                while (end := buffer.find(b"\n")) < 0:
                    if len(buffer) > MAX_LINE_BYTES:
                        return
                    data = await stream.receive_some(MAX_LINE_BYTES)
                    if not data:
                        return
                    buffer += data
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            answer = json.dumps(await self._answer(line)).encode() + b"\n"
            with trio.fail_after(self._idle_s):
                await stream.send_all(answer)

    async def _answer(self, line: bytes) -> dict[str, object]:
        try:
            return {"ok": True, "data": await self._do(_parse(line))}
        except StationError as refused:
            error = refused
        except Exception as bug:  # noqa: BLE001 - a question never ends the rehearsal
            error = Bug(f"{type(bug).__name__}: {bug}")
        return {
            "ok": False,
            "code": error.code,
            "cause": error.cause,
            "remedy": error.remedy,
        }

    async def _do(self, request: Request) -> object:
        tray = self._rehearsal
        if request.do == "status":
            return tray.status()
        if request.do == "stop":
            self._stop()
            return None
        if request.slot is None:
            raise UsageError(f"{request.do} needs a slot")
        return await self._do_at(request, request.slot)

    async def _do_at(self, request: Request, slot: str) -> object:
        tray = self._rehearsal
        match request.do:
            case "plug":
                tray.plug(slot, request.fault)
            case "unplug":
                tray.unplug(slot)
            case "power":
                tray.power(slot, request.to or "")
            case "calibration":
                return {"intact": tray.calibration(slot)}
            case "breaches":
                return tray.breaches(slot)
            case "dump":
                dump = partial(tray.dump, slot, _folder(request.folder))
                return [asdict(content) for content in await trio.to_thread.run_sync(dump)]
            case _:
                raise UsageError(f"{request.do} takes no slot")
        return None


def _parse(line: bytes) -> Request:
    try:
        return Request.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the line"
        raise UsageError(f"{place}: {first['msg']}") from error


def _folder(text: str | None) -> Path | None:
    if text is None:
        return None
    if not Path(text).is_absolute() or "\0" in text:
        raise UsageError(f"the folder {text!r} must be an absolute path")
    return Path(text)
