"""What is on record around the attempts: what is flashed, the engine's starts, shifts, lots."""

from collections.abc import Iterator

import sqlalchemy as sa

from station.store import schema
from station.store.rows import Row
from tests.bench.records.line import (
    BOOT_TRAYS,
    LOT,
    OPERATORS,
    PACKAGES,
    PLANS,
    RECIPES,
    SHIFT_TRAYS,
    SOFTWARE,
    STATION,
    TRAY,
    Line,
    digest,
    key,
)

Rows = list[tuple[sa.Table, Row]]
"""Of one transaction."""


_BOOT, _SHIFT, _LOT = range(32, 35)
"""Beside those of an attempt; see `line.key`."""


def around(line: Line, tray: int) -> Iterator[Rows]:
    """The links before a tray: the engine's start, the shift, a lot."""
    numbers, began_us = line.numbers(tray), line.tray_us(tray)
    if tray == 0:
        yield list(_contents())
    if tray % BOOT_TRAYS == 0:
        yield [(schema.station_boot, _boot(line, tray))]
    if tray % SHIFT_TRAYS == 0:
        shift = dated(began_us, numbers[0] * 64 + _SHIFT) | {
            "operator": operator(tray // SHIFT_TRAYS),
            "role": "operator",
            "peer_uid": 1000,
            "peer_user": "worker",
        }
        yield [(schema.shift_started, shift)]
    if tray % SHIFT_TRAYS == SHIFT_TRAYS - 1:
        ended: Row = {"shift_id": shift_id(line, tray), "station": STATION, "utc_us": began_us}
        yield [(schema.shift_ended, ended | {"reason": "ended"})]
    if -numbers[0] % LOT < TRAY:
        name = lot_name(numbers[0] + -numbers[0] % LOT)
        row = dated(began_us, numbers[0] * 64 + _LOT)
        yield [(schema.lot, row | {"name": name, "operator": operator(tray // SHIFT_TRAYS)})]


def _contents() -> Iterator[tuple[sa.Table, Row]]:
    station: Row = {"station": STATION}
    for package in PACKAGES:
        yield schema.package, station | {"sha256": package.sha256, "name": package.name}
        for file in package.files:
            row = station | {"package_sha256": package.sha256, "path": file.path}
            row |= {"sha256": file.sha256, "length_bytes": file.length_bytes}
            yield schema.package_file, row
    for recipe in RECIPES.values():
        row = station | {"sha256": recipe.sha256, "name": recipe.name}
        yield schema.recipe, row | {"revision": recipe.revision, "text": recipe.text}
    for sha256, text in PLANS.values():
        yield schema.plan, station | {"sha256": sha256, "json": text}


def _boot(line: Line, tray: int) -> Row:
    return dated(line.tray_us(tray), line.numbers(tray)[0] * 64 + _BOOT) | {
        "software_version": SOFTWARE,
        "lock_sha256": digest(SOFTWARE),
        "python": "3.11.9",
        "kernel": "6.1.0-18-amd64",
        "libusb": "1.0.26",
        "slot_map": "{}",
    }


def dated(utc_us: int, number: int) -> Row:
    return {"id": key(utc_us, number), "station": STATION, "utc_us": utc_us}


def boot_id(line: Line, tray: int) -> str:
    return _key_of(line, tray, BOOT_TRAYS, _BOOT)


def shift_id(line: Line, tray: int) -> str:
    return _key_of(line, tray, SHIFT_TRAYS, _SHIFT)


def _key_of(line: Line, tray: int, each: int, what: int) -> str:
    """Of what began with the last tray that was the first of so many."""
    first = tray - tray % each
    return key(line.tray_us(first), first * TRAY * 64 + what)


def operator(shift: int) -> str:
    return OPERATORS[shift % len(OPERATORS)]


def lot_name(number: int) -> str:
    return f"L{number // LOT:06}"
