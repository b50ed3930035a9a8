"""One target under libFuzzer, which watches what code each input reaches. Needs atheris.

`python -m tests.fuzz.guided TARGET [options and folders of libFuzzer]`: a process of its own,
because libFuzzer ends it.
"""

import sys
from random import Random

import atheris

with atheris.instrument_imports(include=["station.protocols"]):
    from tests.fuzz.mutate import MAX_BYTES
    from tests.fuzz.targets import Target, target_named


def fuzz(target: Target, options: list[str]) -> None:
    def damage(data: bytes, max_bytes: int, seed: int) -> bytes:
        """As libFuzzer likes it, or with a sense of structure, or from a sound message anew."""
        rng = Random(seed)
        match rng.randrange(3):
            case 0:
                return bytes(atheris.Mutate(data, max_bytes))
            case 1:
                return target.damage(rng, data)[:max_bytes]
            case _:
                return target.damaged(rng)[:max_bytes]

    # Few mutations of one input: most of a message must stay sound to get anywhere.
    words = [sys.argv[0], f"-max_len={MAX_BYTES}", "-mutate_depth=2", *options]
    atheris.Setup(words, target.check, custom_mutator=damage)
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz(target_named(sys.argv[1]), sys.argv[2:])
