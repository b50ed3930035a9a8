"""A stored image that is changed while the line runs is found before a module is touched."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from station.firmware import stored
from station.firmware.package_store import PackageStore
from station.firmware.stored import StoredFile
from station.live import SlotState as S
from station.model import Outcome
from tests.engine.line import Running, running
from tests.engine.tray import Line, code_of, make_line


def an_image(bench: Line) -> Path:
    """The largest file of the package that is flashed, in the store."""
    store = PackageStore(bench.folder / "store")
    (package,) = [m for m in store.list() if m.name.startswith("EC25")]
    file = max(package.files, key=lambda one: one.length_bytes)
    return store._object(file)


def overwritten(image: Path) -> None:
    image.chmod(0o644)
    with image.open("r+b") as file:
        file.seek(1000)
        file.write(b"\xa5")


def overwritten_and_dated_back(image: Path) -> None:
    before = image.stat()
    overwritten(image)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(image: Path) -> None:
    image.chmod(0o644)
    os.truncate(image, 1000)


def replaced(image: Path) -> None:
    data = image.read_bytes()
    image.unlink()
    image.write_bytes(data[::-1])


def add_again(bench: Line) -> None:
    """`station package add`."""
    (package,) = (bench.folder / "packages").glob("EC25*")
    PackageStore(bench.folder / "store").add(package)


async def flashed(run: Running, slot: str) -> str | None:
    run.plug(slot)
    view = await run.see(slot, S.DONE)
    return None if view.failure is None else view.failure.code


@pytest.mark.trio
@pytest.mark.parametrize(
    "damage", [overwritten, overwritten_and_dated_back, cut, replaced, Path.unlink]
)
async def test_no_module_is_touched_until_the_package_is_added_again(
    tmp_path: Path, tray_clock: object, damage: Callable[[Path], None]
) -> None:
    bench = make_line(tmp_path, slots=3)
    before = bench.fingerprint("A2")
    async with running(bench) as run:
        await run.arm()
        assert await flashed(run, "A1") is None
        damage(an_image(bench))
        assert await flashed(run, "A2") == "F409"
        add_again(bench)
        assert await flashed(run, "A3") is None
        run.unplug("A2")
        await run.see("A2", S.EMPTY)
        assert await flashed(run, "A2") is None
    bad, good = bench.recorded(slot="A2")
    assert bad.closed is not None
    assert bad.closed.outcome is Outcome.ERROR
    assert [step.name for step in bad.steps] == ["identify", "select", "preflight"]
    assert code_of(good) is None
    assert bench.tray.modules["A2"].breaches == []
    assert before != bench.fingerprint("A2")


@pytest.mark.trio
async def test_what_was_only_touched_is_verified_once_more_and_used(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=3)
    async with running(bench) as run:
        await run.arm()
        assert await flashed(run, "A1") is None
        image = an_image(bench)
        os.utime(image)
        hashed = count_hashing(monkeypatch)
        assert await flashed(run, "A2") is None
        assert hashed == [image]
        assert await flashed(run, "A3") is None
        assert hashed == [image]


def count_hashing(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    hashed: list[Path] = []
    verify = stored._verify

    def counted(file_fd: int, place: Path, file: object) -> object:
        hashed.append(place)
        return verify(file_fd, place, file)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(stored, "_verify", counted)
    return hashed


def test_who_reads_while_a_file_is_replaced_reads_on(tmp_path: Path) -> None:
    """And no descriptor is left when the package is closed."""
    bench = make_line(tmp_path)
    store = PackageStore(bench.folder / "store")
    (package,) = [m for m in store.list() if m.name.startswith("EC25")]
    file = max(package.files, key=lambda one: one.length_bytes)
    place = store._object(file)
    before = len(list(Path("/proc/self/fd").iterdir()))
    source = StoredFile(file, place)
    head = source.pread(0, 100)
    copy = place.with_name("copy")
    shutil.copy(place, copy)
    copy.replace(place)
    source.recheck()
    assert source.pread(0, 100) == head
    source.recheck()
    source.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
