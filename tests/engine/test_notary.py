"""When the engine signs its record, and where the world can see it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import yaml

from station.config import load_settings
from station.engine.notary import LOOK_S, Notary, notary
from station.errors import NoSigningKey
from station.seal.keys import make_key
from station.seal.published import read_published
from station.store.backup import backup
from station.store.database import sqlite_url
from station.store.verify import verify
from station.store.writer import Store, open_store
from station.wire import Disarm
from tests.engine.line import running
from tests.engine.tray import make_line
from tests.mock_time import time_passes
from tests.new_record import new_record
from tests.store.samples import a_key, attempt, event, stranger

pytestmark = pytest.mark.trio


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = sqlite_url(tmp_path / "station.sqlite")
    new_record(url)
    return url


def signer_of(
    store: object, publish_to: Path | None, *, every_links: int = 10, signs: bool = True
) -> Notary:
    key = a_key() if signs else None
    return Notary(store, "line-1", key, publish_to, every_links)  # type: ignore[arg-type]  # the caller's store


async def test_what_was_signed_is_published_and_holds(url: str, tmp_path: Path) -> None:
    seen = tmp_path / "checkpoints.jsonl"
    async with open_store(url) as store:
        signer = signer_of(store, seen)
        await signer.sign("start")
        assert not seen.exists()  # an empty record
        await store.open_attempt(attempt())
        await signer.sign("shift")
        await signer.sign("stop")  # nothing was added since
    (published,) = read_published(seen).checkpoints
    assert (published.seq, published.reason) == (1, "shift")
    found = verify(url, [published], frozenset({published.public_key}))
    assert found.is_untouched, found.findings
    assert found.signed == {"line-1": 1}


async def signed_once(store: Store, seen: Path) -> None:
    """By an engine before; `seen` is begun by it."""
    await store.add_event(event())
    await signer_of(store, seen).sign("stop")


def told(signer: Notary) -> list[str]:
    return [trouble.code for trouble in signer.troubles()]


async def test_a_share_that_goes_away_is_told_and_caught_up(url: str, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    seen = share / "checkpoints.jsonl"
    async with open_store(url) as store:
        signer = signer_of(store, seen)
        await store.add_event(event())
        await signer.sign("start")
        share.rename(tmp_path / "away")
        for _ in range(2):
            await store.add_event(event())
            await signer.sign("rows")
            assert told(signer) == ["S543"]
        share.mkdir()  # its mount point
        await signer.sign_if_grown()
        assert told(signer) == ["S543"]
        assert list(share.iterdir()) == []
        share.rmdir()
        (tmp_path / "away").rename(share)
        await signer.sign_if_grown()
        assert signer.troubles() == []
    assert [checkpoint.seq for checkpoint in read_published(seen).checkpoints] == [1, 3, 5]


@pytest.mark.parametrize("is_mount_point_there", [True, False])
async def test_nothing_is_signed_before_the_share_is_there(
    url: str, tmp_path: Path, is_mount_point_there: bool
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    seen = share / "checkpoints.jsonl"
    async with open_store(url) as store:
        await signed_once(store, seen)
        share.rename(tmp_path / "away")
        if is_mount_point_there:
            share.mkdir()
        signer = signer_of(store, seen)
        await store.add_event(event())
        await signer.sign("start")
        await signer.sign_if_grown()
        assert told(signer) == ["S543"]
        assert not seen.exists()
        newest = await store.newest_checkpoint("line-1")
        assert newest is not None
        assert newest.reason == "stop"
        if is_mount_point_there:
            share.rmdir()
        (tmp_path / "away").rename(share)
        await signer.sign_if_grown()
        assert signer.troubles() == []
    assert [c.reason for c in read_published(seen).checkpoints] == ["stop", "start"]


async def test_a_new_record_waits_for_the_folder_to_begin_its_file_in(
    url: str, tmp_path: Path
) -> None:
    seen = tmp_path / "elsewhere" / "checkpoints.jsonl"
    async with open_store(url) as store:
        signer = signer_of(store, seen)
        await store.add_event(event())
        await signer.sign("start")
        assert "No such file" in str(signer.trouble)
        seen.parent.mkdir()
        await signer.sign_if_grown()
        assert signer.troubles() == []
    assert [c.reason for c in read_published(seen).checkpoints] == ["start"]


async def test_a_new_file_is_begun_by_hand(url: str, tmp_path: Path) -> None:
    async with open_store(url) as store:
        await signed_once(store, tmp_path / "old.jsonl")
        new = tmp_path / "new.jsonl"
        signer = signer_of(store, new)
        await signer.sign("start")
        assert told(signer) == ["S543"]
        assert not new.exists()
        new.touch()
        await signer.sign_if_grown()
        assert signer.troubles() == []
    assert [c.reason for c in read_published(new).checkpoints] == ["stop"]


async def test_an_older_copy_is_not_signed_while_the_share_is_away(
    url: str, tmp_path: Path
) -> None:
    share, away = tmp_path / "share", tmp_path / "away"
    share.mkdir()
    seen = share / "checkpoints.jsonl"
    older = sqlite_url(tmp_path / "older.sqlite")
    async with open_store(url) as store:
        await signed_once(store, seen)
        backup(url, tmp_path / "older.sqlite")
        await signed_once(store, seen)
    share.rename(away)
    async with open_store(older) as store:
        signer = signer_of(store, seen)
        for _ in range(3):
            await store.add_event(event())
        await signer.sign("start")
        assert told(signer) == ["S543"]
        away.rename(share)
        await signer.sign_if_grown()
        assert told(signer) == ["S540"]
    assert [c.reason for c in read_published(seen).checkpoints] == ["stop", "stop"]


async def test_it_is_signed_when_it_has_grown(url: str, tmp_path: Path, tray_clock: object) -> None:
    seen = tmp_path / "checkpoints.jsonl"
    async with open_store(url) as store, trio.open_nursery() as nursery:
        signer = signer_of(store, seen, every_links=10)
        nursery.start_soon(signer.run)
        for _ in range(9):
            await store.add_event(event())
        await time_passes(LOOK_S * 2)
        assert not seen.exists()
        await store.add_event(event())
        await until(seen.exists)
        nursery.cancel_scope.cancel()
    assert [(c.seq, c.reason) for c in read_published(seen).checkpoints] == [(10, "rows")]


async def test_what_an_engine_before_could_not_publish_is_due(url: str, tmp_path: Path) -> None:
    seen, away = tmp_path / "checkpoints.jsonl", tmp_path / "away.jsonl"
    async with open_store(url) as store:
        signer = signer_of(store, seen)
        await store.add_event(event())
        await signer.sign("start")
        seen.rename(away)
        await store.add_event(event())
        await signer.sign("stop")
        away.rename(seen)
        await signer_of(store, seen).sign("start")  # nothing new to sign
    assert [c.reason for c in read_published(seen).checkpoints] == ["start", "stop"]


async def test_a_second_history_gets_no_signature(url: str, tmp_path: Path) -> None:
    """Somebody made the whole record anew while no engine ran."""
    seen = tmp_path / "checkpoints.jsonl"
    other = sqlite_url(tmp_path / "other.sqlite")
    new_record(other)
    changed = []
    for place in (url, other):
        async with open_store(place) as store:
            signer = signer_of(store, seen)
            for _ in range(3):
                await store.add_event(event())
            await signer.sign("stop")
            changed.append(signer.changed)
    assert changed[0] is None
    assert "is not the one that was signed" in str(changed[1])
    assert len(read_published(seen).checkpoints) == 1


async def test_a_checkpoint_from_nowhere_does_not_switch_signing_off(
    url: str, tmp_path: Path
) -> None:
    async with open_store(url) as store:
        signer = signer_of(store, None)
        await store.add_event(event())
        with stranger(url) as db, db:
            db.execute("INSERT INTO checkpoint VALUES ('line-1',9e18,'','0','x','x','x',1)")
        await signer.sign("stop")
    assert signer.changed is not None


async def test_without_a_key_nothing_is_signed(url: str, tmp_path: Path) -> None:
    async with open_store(url) as store:
        signer = signer_of(store, tmp_path / "checkpoints.jsonl", signs=False)
        await store.add_event(event())
        await signer.sign("stop")
        await signer.sign_if_grown()
    assert not (tmp_path / "checkpoints.jsonl").exists()


# --- in the engine ----------------------------------------------------------------------------


def configure(config: Path, audit: dict[str, str]) -> None:
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(settings | {"audit": audit}))


async def until(true: Callable[[], bool]) -> None:
    with trio.fail_after(300):
        while not true():
            await time_passes(0.5)


async def test_the_end_of_a_shift_is_signed(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path, slots=1)
    configure(bench.config, {"publish": "seen.jsonl"})
    settings = bench.settings()
    public = make_key(settings.key).public
    seen = settings.path.with_name("seen.jsonl")
    async with running(bench) as run, trio.open_nursery() as nursery:
        nursery.start_soon(run.line.health.signer.run)
        await run.arm()
        await run.ask(Disarm())
        await until(seen.exists)
        nursery.cancel_scope.cancel()
    (published,) = read_published(seen).checkpoints
    assert (published.reason, published.public_key) == ("shift", public)
    assert verify(settings.database, [published], frozenset({public})).is_untouched


async def test_a_key_that_others_can_read_is_none(tmp_path: Path, url: str) -> None:
    bench = make_line(tmp_path / "line", slots=1)
    settings = load_settings(bench.config)
    make_key(settings.key)
    settings.key.chmod(0o644)
    async with open_store(url) as store:
        with pytest.raises(NoSigningKey, match="can be read by others"):
            await notary(store, settings)


async def test_a_key_that_is_named_must_be_there(tmp_path: Path, url: str) -> None:
    bench = make_line(tmp_path / "line", slots=1)
    configure(bench.config, {"key": "elsewhere.key"})
    async with open_store(url) as store:
        with pytest.raises(NoSigningKey, match=r"elsewhere\.key: No such file"):
            await notary(store, load_settings(bench.config))
