"""The guest's first folder: busybox, the modules it needs to reach the host's files, a script."""

import shutil
import subprocess
import tempfile
from pathlib import Path

_WANTED = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng", "virtio_console")
_HERE = Path(__file__).parent


def write(archive: Path, modules: Path, busybox: Path) -> None:
    """`modules` is a kernel's folder in /lib/modules."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("bin", "lib", "proc", "sys", "dev", "host", "memory", "root"):
            (folder / name).mkdir()
        shutil.copy(busybox, folder / "bin/busybox")
        shutil.copy(_HERE / "init.sh", folder / "init")
        (folder / "init").chmod(0o755)
        files = _in_order(modules)
        for number, file in enumerate(files):
            shutil.copy(modules / file, folder / f"lib/{number:03d}-{Path(file).name}")
        names = "\n".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*")))
        with archive.open("wb") as out:
            subprocess.run(
                [busybox, "cpio", "-o", "-H", "newc"],
                input=names.encode(),
                cwd=folder,
                stdout=out,
                stderr=subprocess.DEVNULL,
                check=True,
            )


def _in_order(modules: Path) -> list[str]:
    """The wanted modules' files, each after what it depends on (`modules.dep`)."""
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        file, _, rest = line.partition(":")
        needs[_name(file)] = (file, rest.split())
    ordered: list[str] = []

    def add(name: str) -> None:
        if name not in needs:
            return  # built in
        file, others = needs[name]
        for other in reversed(others):
            if other not in ordered:
                ordered.append(other)
        if file not in ordered:
            ordered.append(file)

    for name in _WANTED:
        add(name)
    return ordered


def _name(file: str) -> str:
    return Path(file).name.partition(".ko")[0].replace("-", "_")
