"""Firehose `configure`: opens the flash memory and settles how much one payload may carry.

    host   <configure MemoryName="nand" ... MaxPayloadSizeToTargetInBytes="1048576" .../>
    module <response value="NAK" MaxPayloadSizeToTargetInBytes="8192" .../>   ask for that
    module <response value="ACK" MaxPayloadSizeToTargetInBytes="8192"
                     MaxPayloadSizeToTargetInBytesSupported="16384" .../>     ask for more, once

Ref: linux-msm/qdl firehose.c (negotiation, both directions); fwupd fu-qc-firehose-impl.c.

Quirks seen: some modules ACK with a smaller payload than asked, which then holds; `peek` loaders
support 0 bytes and NAK everything (bkerler/edl#807).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from station.errors import FirehoseError, Nak, WrongProgrammer
from station.protocols.dialogue import Dialogue, Notice
from station.protocols.firehose_talk import Talk
from station.protocols.firehose_xml import Response, compose

_TRIES = 5
_PAYLOAD = "MaxPayloadSizeToTargetInBytes"
_SUPPORTED = "MaxPayloadSizeToTargetInBytesSupported"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a chip family wants of its host. `zlp` rules ZlpAwareHost and the packets alike."""

    zlp: bool = True
    memory: str = "nand"
    payload_bytes: int = 8192
    payload_cap_bytes: int = 1 << 20
    digest_table_bytes: int = 2048


@dataclass(frozen=True, slots=True)
class Configured:
    """What was agreed; `attributes` as the module answered them."""

    payload_bytes: int
    attributes: Mapping[str, str]


def negotiate(talk: Talk, profile: Profile, timeout_s: float) -> Dialogue[Configured]:
    """Configure, with the largest payload both sides can carry.

    Raises Nak, FirehoseSilent, FirehoseError (sizes that make no sense), WrongProgrammer (it takes
    no data at all).
    """
    cap_bytes = profile.payload_cap_bytes
    asked_bytes = min(profile.payload_bytes, cap_bytes)
    agreed_bytes: int | None = None  # acknowledged, while more is being tried
    refused_bytes = cap_bytes + 1
    for _ in range(_TRIES):
        response = yield from _configure(talk, profile, asked_bytes, timeout_s)
        answer = response.attributes
        if response.ack:
            granted_bytes = min(_payload(answer, _PAYLOAD) or asked_bytes, asked_bytes)
            supported_bytes = min(_payload(answer, _SUPPORTED) or 0, cap_bytes)
            if agreed_bytes is None and granted_bytes < supported_bytes < refused_bytes:
                agreed_bytes, asked_bytes = granted_bytes, supported_bytes
                continue
            yield from _remark_memory(profile.memory, answer.get("MemoryName", ""))
            return Configured(granted_bytes, answer)
        if agreed_bytes is not None:
            asked_bytes = agreed_bytes
            continue
        if answer.get(_SUPPORTED) == "0":
            refusal = yield from _refusal(talk, asked_bytes)
            raise WrongProgrammer(f"{refusal.cause}; it cannot flash, it supports no payload")
        offered_bytes = _payload(answer, _PAYLOAD, cap_bytes)
        if offered_bytes is None or offered_bytes >= asked_bytes:
            break
        refused_bytes, asked_bytes = asked_bytes, offered_bytes
    raise (yield from _refusal(talk, asked_bytes))


def _configure(
    talk: Talk, profile: Profile, payload_bytes: int, timeout_s: float
) -> Dialogue[Response]:
    document = compose(
        "configure",
        {
            "MemoryName": profile.memory,
            "Verbose": 0,
            "AlwaysValidate": 0,
            "MaxDigestTableSizeInBytes": profile.digest_table_bytes,
            _PAYLOAD: payload_bytes,
            "ZlpAwareHost": int(profile.zlp),
            "SkipStorageInit": 0,
        },
    )
    yield from talk.command("configure", document)
    response = yield from talk.answer("configure", timeout_s)
    if response.ack and response.raw:
        raise FirehoseError("the module said ACK to configure but opened raw mode")
    return response


def _refusal(talk: Talk, payload_bytes: int) -> Dialogue[Nak]:
    return (yield from talk.refusal(f"configure with a payload of {payload_bytes} bytes"))


def _remark_memory(wanted: str, memory: str) -> Dialogue[None]:
    if memory and memory.lower() != wanted.lower():
        yield Notice(f"the programmer says {memory[:40]} instead of {wanted}")


def _payload(answer: Mapping[str, str], name: str, cap_bytes: int = 1 << 31) -> int | None:
    """A payload size as the module states it; None where it does not. Raises FirehoseError."""
    text = answer.get(name)
    if text is None:
        return None
    size_bytes = int(text) if re.fullmatch(r"[0-9]{1,10}", text) else 0
    if not 0 < size_bytes <= cap_bytes or size_bytes % 512:
        raise FirehoseError(f"the module states an absurd {name}: {text[:40]!r}")
    return size_bytes
