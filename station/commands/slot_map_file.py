"""A new slot map takes the place of the old one, whole or not at all."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from station.commands.lesson import Socket
from station.config.slot_map import USB3_SIDE, HubMark, load_slot_map, slot_map_text
from station.durable import sync_folder
from station.errors import DiskTrouble, UsageError
from station.model import Slot
from station.transport.topology import Hub

_MAX_SERIAL = 256


def map_text(sockets: Mapping[str, Socket], recipes: Mapping[str, str | None]) -> str:
    """The file's text; slots keep the recipe they had."""
    slots = [
        Slot(name, frozenset(), recipes.get(name), frozenset(socket.locations))
        for name, socket in sockets.items()
    ]
    return slot_map_text(slots, marks_of(sockets.values()))


def marks_of(sockets: Iterable[Socket]) -> tuple[HubMark, ...]:
    """The hubs on the way to the sockets: A, B, ... in that order; the USB 3 half of a hub, which
    the kernel has as a hub of its own, is `A-usb3`."""
    names: dict[str, str] = {}
    hubs: dict[str, Hub] = {}
    for socket in sockets:
        slower, faster = [*socket.hubs, ()][:2]
        for depth, hub in enumerate((*slower, *faster)):
            if hub.name in names:
                continue
            twin = depth - len(slower)
            half = 0 <= twin < len(slower)
            names[hub.name] = (
                names[slower[twin].name] + USB3_SIDE if half else _letters(_plain(names))
            )
            hubs[hub.name] = hub
    return tuple(sorted((_mark(names[k], hub) for k, hub in hubs.items()), key=_order))


def _mark(name: str, hub: Hub) -> HubMark:
    serial = hub.serial if hub.serial and len(hub.serial) <= _MAX_SERIAL else None
    return HubMark(name, hub.location, hub.usb_id, hub.ports, serial)


def _order(mark: HubMark) -> tuple[int, str]:
    return len(mark.name.removesuffix(USB3_SIDE)), mark.name


def _plain(names: Mapping[str, str]) -> int:
    return sum(not name.endswith(USB3_SIDE) for name in names.values())


def _letters(index: int) -> str:
    """A to Z, AA to AZ, BA, ..."""
    head, tail = divmod(index, 26)
    return (_letters(head - 1) if head else "") + chr(ord("A") + tail)


# --- the file ---------------------------------------------------------------------------------


def require_writable(target: Path) -> None:
    """Before a person walks through the tray for nothing. Raises UsageError."""
    folder = target.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} to write the map into")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} cannot be written by this user; use sudo, or name a --map")


def write_map(target: Path, text: str, like: Path) -> Path | None:
    """Put the text in the place of `target`; the copy of the old file, if there was one.

    Owner and permissions are those of the old file, else of `like`. Raises DiskTrouble or
    ConfigError (a text that could not be read back), and then nothing has changed.
    """
    target = target.resolve()
    try:
        draft = _draft(target, text, target if target.exists() else like)
        try:
            load_slot_map(draft)
            backup = _backup(target)
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
    except OSError as error:
        raise DiskTrouble(f"{target}: {error.strerror or error}") from error
    return backup


def _draft(target: Path, text: str, like: Path) -> Path:
    state = like.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        with suppress(PermissionError):  # only root gives files away
            os.fchown(descriptor, state.st_uid, state.st_gid)
        os.fchmod(descriptor, state.st_mode & 0o666)
        os.fsync(descriptor)
    return Path(name)


def _backup(target: Path) -> Path | None:
    """A dated copy beside the file: `slots.yaml.20260131T235959Z.bak`."""
    if not target.exists():
        return None
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    backup = target.with_name(f"{target.name}.{moment}.bak")
    shutil.copy2(target, backup)
    return backup
