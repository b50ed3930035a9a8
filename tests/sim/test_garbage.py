"""Whatever bytes arrive: recorded breaches, never an exception."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sim import literals
from tests.sim.host import Host
from tests.sim.units import module

PIECES = st.one_of(
    st.binary(max_size=64),
    st.sampled_from(
        [
            b"",
            b"AT\r",
            b"AT+CFUN=5;+CGSN\r",
            literals.SWITCH,
            literals.GO_LOAD,
            literals.DONE,
            literals.RESET,
            literals.CONFIGURE,
            literals.POWER_RESET,
            bytes(0x34),
            bytes(8192),
            b"\x7e" * 600,
        ]
    ),
    st.builds(
        lambda tag, start, count, body: (
            literals.HEAD
            + f'<{tag} SECTOR_SIZE_IN_BYTES="2048" start_sector="{start}" '.encode()
            + f'num_partition_sectors="{count}" '.encode()
            + body
            + b" /></data>"
        ),
        st.sampled_from(["erase", "program", "read", "power", "configure", "patch"]),
        st.sampled_from(["0", "64", "-1", "131071", "99999999999", "x"]),
        st.sampled_from(["0", "1", "64", "131072", "NUM"]),
        st.binary(max_size=16),
    ),
    st.builds(
        lambda command, body: (
            command.to_bytes(4, "little") + (8 + len(body)).to_bytes(4, "little") + body
        ),
        st.integers(0, 0x15),
        st.binary(max_size=48),
    ),
)


@pytest.mark.parametrize("tolerant", [False, True])
@pytest.mark.parametrize("fault", [None, "arrives-in-edl", "arrives-programmer-running"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(st.tuples(st.integers(-1, 6), PIECES, st.booleans()), max_size=12))
def test_whatever_a_host_sends_a_module_only_writes_it_down(
    fault: str | None, tolerant: bool, script: list[tuple[int, bytes, bool]]
) -> None:
    host = Host(module(fault, tolerant=tolerant))
    host.open(0)
    host.open(2)
    for interface, data, reads in script:
        if host.usb_id is None and host.wait_return() is None:
            return
        host.send(data, interface)
        if reads:
            host.read_some(interface)
