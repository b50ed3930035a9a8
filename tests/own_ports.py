"""USB ports that no engine of another process on this machine has."""

import os


def own_ports(number: int) -> list[str]:
    """An engine locks its ports on the whole machine: the `number`th of this process is nobody
    else's."""
    high, low = divmod(os.getpid(), 255)
    return [f"{bus}-{number}.{high % 255 + 1}.{low + 1}" for bus in (1, 2)]
