"""DIAG: the service port of a running Qualcomm module; here only what leads to EDL.

    host    4b 65 01 00 | crc 54 0f | 7e     subsystem 0x65, command 1: go to EDL
    module  the same seven bytes, then it leaves the bus

    host    7c | crc 93 49 | 7e              extended build id
    module  7c, version, 2 reserved, u32 msm id, u32 model, build string NUL, model string NUL

Ref: fwupd fu-mm-qcdm-device.c; QFirehose qfirehose.c; qfenix diag_switch.c. Quirks seen: the
switch is sometimes not taken the first time (fwupd repeats it); old log frames may wait in the
pipe; some modules are gone before their echo was read, and a transfer under way then breaks.
"""

from station.errors import DiagError, Disconnected, Timeout, UsbBroken
from station.protocols.dialogue import Dialogue, notice, receive, send
from station.protocols.hdlc import Framer

EDL_SWITCH = bytes.fromhex("4b650100540f7e")
VERSION_QUERY = bytes.fromhex("7c93497e")

ECHO_WAIT_S = 1.5
"""How long one switch frame gets before it is sent again."""
MAX_READS = 100
"""Reads spent on one question; a chatty log stream must not keep us for ever."""

_EDL_ECHO = EDL_SWITCH[:4]
_EXTENDED_BUILD_ID = 0x7C
_BUILD_STRING_AT = 12


def query_version(timeout_s: float) -> Dialogue[str | None]:
    """The build string the module reports over DIAG; None when it keeps silent or sends none."""
    yield from _drain()
    yield from send(VERSION_QUERY, timeout_s=timeout_s)
    framer = Framer()
    for _ in range(MAX_READS):
        try:
            framer.feed((yield from receive(timeout_s)))
        except Timeout:
            return None
        for payload in _good_frames(framer):
            if payload[0] == _EXTENDED_BUILD_ID:
                return _build_string(payload)
    return None


def switch_to_edl(timeout_s: float) -> Dialogue[bool]:
    """Send the module to EDL: True when it echoed the frame, False when it vanished without.

    Both mean success; the caller waits for 05c6:9008 on the same port. Silence is answered by
    sending again, until `timeout_s` is used up. Raises DiagError after that; Disconnected only
    for a port that was gone before the first frame.
    """
    yield from _drain()
    framer = Framer()
    left_s = timeout_s
    sent = 0
    try:
        while sent == 0 or left_s > 0:
            wait_s = min(ECHO_WAIT_S, left_s)
            left_s -= wait_s
            sent += 1
            if (yield from _try_switch(framer, wait_s)):
                return True
            yield from notice(f"DIAG: no echo of EDL switch {sent}")
    except (Disconnected, UsbBroken):
        return False
    raise DiagError(f"the DIAG port did not echo the switch to EDL, sent {sent} times")


def _try_switch(framer: Framer, timeout_s: float) -> Dialogue[bool]:
    try:
        yield from send(EDL_SWITCH, timeout_s=timeout_s)
        for _ in range(MAX_READS):
            framer.feed((yield from receive(timeout_s)))
            if _EDL_ECHO in _good_frames(framer):
                return True
    except Timeout:
        pass
    return False


def _drain() -> Dialogue[None]:
    for _ in range(MAX_READS):
        try:
            yield from receive(0)
        except Timeout:
            return


def _good_frames(framer: Framer) -> list[bytes]:
    """Every whole frame that came; damaged ones are log noise or stale and do not count."""
    frames: list[bytes] = []
    while True:
        try:
            payload = framer.next()
        except DiagError:
            continue
        if payload is None:
            return frames
        frames.append(payload)


def _build_string(payload: bytes) -> str | None:
    text = payload[_BUILD_STRING_AT:].partition(b"\0")[0]
    return text.decode("ascii") if text and all(0x20 <= byte < 0x7F for byte in text) else None
