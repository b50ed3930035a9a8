"""`python -m tests.fuzz`: look for bytes that make a protocol raise what it may not.

Guided by coverage if atheris is installed (`pip install '.[fuzz]'`), else blind, and says so.
Exit code 1: something was found; the input is kept, and the line that shows it again is printed.
"""

import argparse
import sys
from pathlib import Path

from tests.fuzz.runs import Ran, has_atheris, run_blind, run_guided
from tests.fuzz.targets import TARGETS, Target, target_named

SECONDS = 60


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line prints


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    every = [target.name for target in TARGETS]
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for all targets together")
    parser.add_argument("--target", action="append", choices=every, help="may be repeated")
    parser.add_argument("--corpus", type=Path, help="keep inputs that reach something new here")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="a folder")
    parser.add_argument("--replay", type=Path, help="run one file through the target, and no more")
    found = parser.parse_args(words)
    if found.replay is not None and len(found.target or ()) != 1:
        parser.error("--replay needs one --target")
    return found


def main(words: list[str]) -> int:
    asked = arguments(words)
    guided = [target.name for target in TARGETS if target.guided]
    targets = [target_named(name) for name in asked.target or guided]
    if asked.replay is not None:
        targets[0].check(asked.replay.read_bytes())
        say(f"{targets[0]}: {asked.replay} breaks nothing")
        return 0
    is_guided = has_atheris()
    if not is_guided:
        say("atheris is not installed: the fuzzer is blind, it does not see what its inputs reach")
    asked.findings.mkdir(parents=True, exist_ok=True)
    seconds = max(asked.seconds // len(targets), 1)
    found = 0
    for target in targets:
        if is_guided:
            ran = run_guided(target, seconds, asked.corpus, asked.findings)
        else:
            ran = run_blind(target, seconds, asked.findings)
        report(target, ran)
        found += len(ran.findings)
    return 1 if found else 0


def report(target: Target, ran: Ran) -> None:
    per_s = ran.executions / max(ran.duration_s, 0.001)
    say(
        f"{target.name:<12} {ran.executions:>10} executions  {per_s:>7.0f}/s"
        f"  {len(ran.findings)} findings"
    )
    if ran.said:
        say(ran.said)
    for path in ran.findings:
        say(f"again: {sys.executable} -m tests.fuzz --target {target.name} --replay {path}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
