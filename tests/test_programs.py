"""Copies of the waiting process end as a process of their own would."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import pytest

from tests.programs import Forked, forked, ran


def exits() -> None:
    print(os.environ["WORD"], sys.argv[1:])  # noqa: T201 - what is looked for
    sys.exit(3)


def cannot_write() -> None:
    print("lost")  # noqa: T201 - that is the point
    sys.exit(3)


def closes_its_output() -> None:
    sys.stdout.close()
    sys.exit(3)


def says_why() -> None:
    sys.exit("no \udcff")


def waits() -> None:
    signal.pause()


def test_folder_words_environment_and_code() -> None:
    def begin(arguments: Sequence[str], out: TextIO, err: TextIO) -> Forked:
        return forked(arguments, out, err, exits, environment={"WORD": "maria"})

    done = ran("a", "b", limit_s=30, begin=begin)
    assert (done.returncode, done.stdout) == (3, "maria ['a', 'b']\n")


@pytest.mark.parametrize("main", [cannot_write, closes_its_output])
def test_what_cannot_be_written_is_no_success(main: Callable[[], None]) -> None:
    with Path("/dev/full").open("w") as full:
        assert forked([], full, full, main).wait(30) == 120


def test_words_at_the_end() -> None:
    def begin(arguments: Sequence[str], out: TextIO, err: TextIO) -> Forked:
        return forked(arguments, out, err, says_why)

    done = ran(limit_s=30, begin=begin)
    assert (done.returncode, done.stderr) == (1, "no \\udcff\n")


def test_a_signal_never_goes_to_another() -> None:
    with Path(os.devnull).open("w") as nothing:
        program = forked([], nothing, nothing, waits)
        program.send_signal(signal.SIGKILL)
        for _ in range(1000):
            program.send_signal(signal.SIGTERM)
        assert program.wait(30) == -signal.SIGKILL
        program.kill()


def test_a_request_that_is_too_long_begins_nothing() -> None:
    with Path(os.devnull).open("w") as nothing, pytest.raises((ChildProcessError, OSError)):
        forked(["x" * (1 << 18)], nothing, nothing, exits)
