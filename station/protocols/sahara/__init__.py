"""Sahara: the boot ROM of a module in EDL fetches its programmer from the host.

`codes` and `packets` are the wire, for host and module; `hello`, `chip` and `load` are the host's
dialogues, in the order of a flash: `greet`, optionally `read_chip_identity`, `load_programmer`.
"""

from station.protocols.sahara.chip import (
    ChipIdentity,
    read_chip_identity,
)
from station.protocols.sahara.codes import (
    ClientCommand,
    Command,
    SaharaMode,
    Status,
)
from station.protocols.sahara.hello import (
    Greeting,
    ProgrammerRunning,
    Requested,
    greet,
    reset,
)
from station.protocols.sahara.load import (
    LoadResult,
    load_programmer,
)
from station.protocols.sahara.packets import (
    CommandReady,
    Done,
    DoneResponse,
    EndImage,
    Execute,
    ExecuteData,
    ExecuteResponse,
    Framer,
    Hello,
    HelloResponse,
    MemoryDebug,
    Packet,
    ReadData,
    Reset,
    ResetResponse,
    ResetStateMachine,
    SwitchMode,
    decode,
    encode,
)

__all__ = [
    "ChipIdentity",
    "ClientCommand",
    "Command",
    "CommandReady",
    "Done",
    "DoneResponse",
    "EndImage",
    "Execute",
    "ExecuteData",
    "ExecuteResponse",
    "Framer",
    "Greeting",
    "Hello",
    "HelloResponse",
    "LoadResult",
    "MemoryDebug",
    "Packet",
    "ProgrammerRunning",
    "ReadData",
    "Requested",
    "Reset",
    "ResetResponse",
    "ResetStateMachine",
    "SaharaMode",
    "Status",
    "SwitchMode",
    "decode",
    "encode",
    "greet",
    "load_programmer",
    "read_chip_identity",
    "reset",
]
