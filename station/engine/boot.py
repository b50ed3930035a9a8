"""What an engine runs with, on record before its first attempt."""

import hashlib
import os
import platform
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import metadata

import trio

from station import __version__
from station.engine.world import World
from station.model import Slot
from station.store.boots import Boot
from station.store.ids import new_id

_DISTRIBUTION = "flashing-station"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


async def recorded(world: World) -> World:
    """The world of an engine that has just started, its boot on record. Raises StoreError."""
    system = os.uname()
    boot = Boot(
        boot_id=new_id(),
        station=world.settings.station.name,
        utc_us=world.clock(),
        software_version=__version__,
        lock_sha256=await trio.to_thread.run_sync(lock_sha256),
        python=platform.python_version(),
        kernel=f"{system.sysname} {system.release} {system.machine}",
        libusb=world.backend.library,
        slot_map=slot_map(world.settings.slots),
    )
    await world.store.add_boot(boot)
    return replace(world, boot_id=boot.boot_id)


def slot_map(slots: Iterable[Slot]) -> dict[str, dict[str, str | list[str]]]:
    """Where each slot is on this machine now."""
    found: dict[str, dict[str, str | list[str]]] = {}
    for slot in slots:
        found[slot.name] = {"ports": sorted(map(str, slot.ports))}
        if slot.barred is not None:
            found[slot.name]["barred"] = f"{slot.barred.code} {slot.barred.cause}"
    return found


# --- the libraries ----------------------------------------------------------------------------


@cache
def lock_sha256() -> str | None:
    """Over what is installed, not over what a file says should be. None where the station itself
    is not installed. Looked up once: a process goes on with what it began with."""
    lines = sorted(f"{name}=={version}\n" for name, version in libraries().items())
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else None


def libraries() -> dict[str, str]:
    """Every distribution that the station needs, directly or not, and that is here, by its name in
    lower case with dashes; without its extras, such as tools for tests."""
    found: dict[str, str] = {}
    asked: set[str] = set()
    due = [_DISTRIBUTION]
    while due:
        name = due.pop()
        if name in asked:
            continue
        asked.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # needed elsewhere, or not needed at this version of Python
        if name != _DISTRIBUTION:
            found[name] = distribution.version
        due += _needed_by(distribution)
    return found


def _needed_by(distribution: metadata.Distribution) -> Iterable[str]:
    for requirement in distribution.requires or ():
        name = _NAME.match(requirement)
        if name is not None and "extra ==" not in requirement:
            yield re.sub(r"[-_.]+", "-", name[0]).lower()
