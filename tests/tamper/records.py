"""Records as a station makes them: random attempts and events through the real store, signed."""

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import trio

from station.model import AttemptOpened, Identifier, IdKind, StepOutcome, StepRecord, Unit
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey
from station.store.database import sqlite_url
from station.store.facts import Facts
from station.store.ids import new_id
from station.store.writer import Store
from tests.new_record import empty_record
from tests.store.samples import (
    BOOT,
    EVIDENCE,
    IDENTIFY,
    NOON_US,
    PROGRAM,
    READ_BY_SAHARA,
    attempt,
    event,
    failed,
    fill,
    verdict,
    written,
)


def make_record(path: Path, chance: random.Random, key: PrivateKey) -> list[Checkpoint]:
    """A new record in this file, and beside it a copy of its first half; what was signed of it,
    in order, the last at its end."""
    path.write_bytes(empty_record())
    url = sqlite_url(path)
    signed: list[Checkpoint] = []

    async def work(store: Store) -> None:
        attempts = chance.randint(4, 9)
        for number in range(attempts):
            await _attempt(store, chance, number)
            if number == attempts // 2:
                _copy(path, older(path))
            if chance.random() < 0.3:
                await store.add_event(event(detail={"number": number}))
            if chance.random() < 0.2:
                signed.extend(filter(None, [await store.sign("line-1", key, "rows")]))
        if chance.random() < 0.5:
            await trio.to_thread.run_sync(_fill, path)
        signed.extend(filter(None, [await store.sign("line-1", key, "shift")]))

    written(url, work)
    return signed


def _fill(path: Path) -> None:
    """A row in the tables that no attempt writes to."""
    with closing(sqlite3.connect(path)) as db:
        names = db.execute("SELECT id, unit_id FROM attempt_opened WHERE unit_id IS NOT NULL")
        attempt_id, unit_id = names.fetchone()
    fill(sqlite_url(path), attempt_id, unit_id)


def older(path: Path) -> Path:
    return path.with_suffix(".older")


def _copy(from_: Path, to: Path) -> None:
    with closing(sqlite3.connect(from_)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


async def _attempt(store: Store, chance: random.Random, number: int) -> None:
    """One of a module that is new or was here before; rarely it is left open."""
    opened = _opened(chance, number)
    await store.open_attempt(opened, [IDENTIFY])
    facts = Facts(opened.attempt_id)
    if chance.random() < 0.7:
        facts.names.append(replace(READ_BY_SAHARA, value=f"{number:08x}"))
        await store.save(facts)
    for ordinal in range(2, chance.randint(3, 7)):
        facts.steps.append(replace(PROGRAM, ordinal=ordinal))
        await store.save(facts)
    for _ in range(1, chance.randint(1, 4)):
        facts.images.append(BOOT)
        await store.save(facts)
    if chance.random() < 0.9:
        closed = verdict(opened) if chance.random() < 0.7 else failed(opened)
        facts.steps.append(StepRecord(9, "close", StepOutcome.OK, 10))
        await store.close_attempt(replace(closed, evidence=(EVIDENCE,)), facts)


def _opened(chance: random.Random, number: int) -> AttemptOpened:
    imei = f"8642660500{chance.randint(0, 3):02}{number % 3:03}"
    unit = Unit(imei=imei, model="EC25", sku="EC25EFA", sku_source="module")
    return attempt(
        attempt_id=new_id(),
        slot=chance.choice(["A1", "A2", "B1"]),
        unit=unit,
        identifiers=(Identifier(IdKind.IMEI, imei, "at"),),
        started_utc_us=NOON_US + number * 60_000_000,
    )
