"""Debian's qdl, a tool that we did not write, flashes a simulated module. The module's flash is the
judge; the client's exit code is not asked."""

import subprocess
from pathlib import Path

from tests.kernel.judge import EC25, padded
from tests.kernel.kernel import until
from tests.kernel.rehearsal import rehearsal
from tests.programs import ran


def test_qdl_flashes_a_module(tmp_path: Path) -> None:
    package = tmp_path / "flat"
    wrote = ran("sim", "package", str(package), "--layout", "qdl", "--size", "1", limit_s=120)
    assert wrote.returncode == 0, wrote.stderr
    arrives = ("--fault", "A1=arrives-in-edl", "--tolerant")
    with rehearsal(tmp_path, 1, *arrives) as tray:
        assert until(lambda: tray.device("A1") is not None)
        plan = sorted(path.name for path in package.glob("*.xml"))
        (programmer,) = (path.name for path in package.glob("prog_*"))
        said = subprocess.run(
            ["qdl", "--storage", "nand", programmer, *reversed(plan)],
            cwd=package,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        found = tray.flash_of("A1")
        wanted = {
            part.name: padded((package / Path(part.image).name).read_bytes())
            for part in EC25.programmed
        }
        assert {name: found[name] for name in wanted} == wanted, said.stdout + said.stderr
        assert tray.ask("calibration", slot="A1") == {"intact": True}
