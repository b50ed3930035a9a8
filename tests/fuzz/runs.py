"""A run of one target: guided by coverage where atheris is installed, else blind."""

import importlib.util
import re
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random

from tests.fuzz.targets import Target

UNIT_TIMEOUT_S = 10
"""One input that takes longer is a finding."""
MEMORY_LIMIT_MB = 1024
GRACE_S = 60
"""For imports, the corpus, and the last input."""

_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_SAVED = re.compile(r"Test unit written to (\S+)")


@dataclass(frozen=True, slots=True)
class Ran:
    """`findings`: the inputs that broke something, as files. `said`: how they broke it."""

    executions: int
    duration_s: float
    findings: tuple[Path, ...]
    said: str = ""


def has_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def run_guided(target: Target, seconds: int, corpus: Path | None, findings: Path) -> Ran:
    """libFuzzer in a process of its own. `corpus` keeps the inputs that reached something new."""
    with tempfile.TemporaryDirectory() as scratch:
        new = Path(scratch) if corpus is None else corpus / target.name
        new.mkdir(parents=True, exist_ok=True)
        begin_s = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.guided", target.name),
                f"-max_total_time={seconds}",
                f"-timeout={UNIT_TIMEOUT_S}",
                f"-rss_limit_mb={MEMORY_LIMIT_MB}",
                f"-artifact_prefix={findings / target.name}-",
                "-print_final_stats=1",
                *(str(new), str(target.corpus)),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + GRACE_S,
            check=False,
        )
        duration_s = time.monotonic() - begin_s
    said = done.stdout + done.stderr
    executions = _EXECUTIONS.search(said)
    saved = tuple(map(Path, _SAVED.findall(said)))
    if executions is None or (done.returncode and not saved):
        raise RuntimeError(f"the fuzzer itself failed on {target}:\n{said[-4000:]}")
    return Ran(int(executions[1]), duration_s, saved, _broke(said) if saved else "")


def _broke(said: str) -> str:
    """What libFuzzer tells of a finding, without its statistics."""
    begin = said.find("=== Uncaught Python exception")
    begin = max(begin, 0) or max(said.find("ERROR: libFuzzer"), 0)
    return said[begin : said.find("SUMMARY", begin)].strip()[-4000:]


def run_blind(target: Target, seconds: float, findings: Path, *, seed: int | None = None) -> Ran:
    """The corpus, then damaged messages until the time is up or one breaks something."""
    rng = Random(seed)
    seeds = target.seeds()
    begin_s = time.monotonic()
    for number in count():
        if number >= len(seeds) and time.monotonic() - begin_s >= seconds:
            return Ran(number, time.monotonic() - begin_s, ())
        data = seeds[number] if number < len(seeds) else target.damaged(rng)
        try:
            target.check(data)
        except Exception:  # noqa: BLE001 - whatever a parser may not raise is a finding
            path = findings / f"{target.name}-{sha256(data).hexdigest()[:16]}"
            path.write_bytes(data)
            said = traceback.format_exc()
            return Ran(number + 1, time.monotonic() - begin_s, (path,), said)
    raise AssertionError("count() never ends")
