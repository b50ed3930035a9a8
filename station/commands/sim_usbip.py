"""`station sim usbip`: simulated modules as USB devices of this machine's kernel, or another's."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from station.commands.demo_files import SIZE_MB
from station.commands.exits import Exit, say, show
from station.commands.sim import Modelled
from station.commands.sim_control import default_control, is_answered
from station.engine.stop import Stop, obey_signals
from station.errors import UsageError, VhciTaken
from station.file_lock import HeldByAnother, holding
from station.sim.clock import ScaledClock
from station.sim.factory import Factory
from station.sim.faults import FAULTS
from station.sim.odd import ODDITIES
from station.sim.rehearsal import Rehearsal, ports_for
from station.sim.timing import UNLIMITED, Timing
from station.sim.usbip_attach import Berth, keep_attached
from station.sim.usbip_control import Control
from station.sim.usbip_server import TCP_PORT, UsbipServer, listen_tcp
from station.sim.vhci import PortPair, Vhci
from station.socket_file import listening

MAX_MODULES = 32
SIZES_MB = (1, 128)
LISTEN = f"127.0.0.1:{TCP_PORT}"

MEMORY_BYTES = 256 << 20
"""Flash content that is held in memory: pages of all modules, equal ones once."""

_PORT_DIGITS = 5
_MODE = 0o600
"""Whoever may open the control socket commands the rehearsal, as the user who began it."""


@dataclass(frozen=True, slots=True)
class UsbipRequest:
    """`listen`: HOST:PORT for other hosts, None for none. `attach`: to this machine's kernel."""

    modules: int = 8
    modelled: Modelled = field(default_factory=Modelled)
    size_mb: int = SIZE_MB
    tolerant: bool = False
    unlimited: bool = False
    listen: str | None = None
    attach: bool = False
    control: Path | None = None

    @property
    def names(self) -> list[str]:
        return names_of(self.modules)


def run_usbip(request: UsbipRequest, vhci: Vhci | None = None) -> Exit:
    """Export modules until told to stop. Raises UsageError, ConfigError, RehearsalError."""
    _check(request)
    vhci = vhci or Vhci()
    pairs = pairs_for(request.modules, vhci) if request.attach else ()
    path = request.control or default_control()
    with _alone(path), listening(path, _MODE) as made:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(made))
        clock = ScaledClock(request.modelled.speed)
        trio.run(_run, request, vhci, pairs, listener, path, clock=clock)
    say("ended")
    return Exit.GOOD


def list_faults() -> str:
    """One line per fault and per device that is no module of ours: name and what it does."""
    known = {name: each.description for name, each in (FAULTS | ODDITIES).items()}
    width = max(map(len, known))
    return "\n".join(f"{name:<{width}}  {words}" for name, words in known.items())


def names_of(modules: int) -> list[str]:
    """The slots of so many modules. Raises UsageError."""
    if not 1 <= modules <= MAX_MODULES:
        raise UsageError(f"--modules is {modules}; it can be 1 to {MAX_MODULES}")
    return [f"A{number}" for number in range(1, modules + 1)]


def pairs_for(modules: int, vhci: Vhci) -> tuple[PortPair, ...]:
    """Where each module gets its ports. Raises RehearsalError."""
    vhci.check_access()
    pairs = vhci.pairs()
    if len(pairs) < modules:
        raise VhciTaken(f"the kernel has {len(pairs)} virtual ports for {modules} modules")
    return pairs[:modules]


def parse_address(text: str, what: str) -> tuple[str, int]:
    """`HOST:PORT`, or `HOST`, as host and port. Raises UsageError, naming it as `what`."""
    host, _, port = text.rpartition(":") if ":" in text else (text, "", str(TCP_PORT))
    if not host or not (port.isascii() and port.isdecimal() and len(port) <= _PORT_DIGITS):
        raise UsageError(f"{what} {text!r} is not of the form HOST:PORT, e.g. {LISTEN}")
    return host, int(port)


def slots_section(names: Sequence[str], pairs: Sequence[PortPair]) -> str:
    """The `slots:` of a station.yaml for modules that are attached here."""
    lines = [
        f'  {name}: {{ports: ["{pair.high.path}", "{pair.super.path}"]}}'
        for name, pair in zip(names, pairs, strict=False)
    ]
    return "\n".join(["slots:", *lines])


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Between the question and the socket another one could begin; the lock decides. It says
    nothing of a socket that is somebody else's."""
    runs = UsageError(f"a rehearsal runs at {path} already; name another socket with --control")
    try:
        with holding(path.with_name(path.name + ".lock")):
            if is_answered(path):
                raise runs
            yield
    except HeldByAnother as error:
        raise runs from error


def _check(request: UsbipRequest) -> None:
    names = request.names
    low, high = SIZES_MB
    if not low <= request.size_mb <= high:
        raise UsageError(f"--size is {request.size_mb}; it can be {low} to {high}")
    request.modelled.check(names, FAULTS | ODDITIES)
    if request.listen is not None:
        parse_address(request.listen, "--listen")


async def _run(
    request: UsbipRequest,
    vhci: Vhci,
    pairs: Sequence[PortPair],
    listener: trio.SocketListener,
    path: Path,
) -> None:
    patience = max(1.0, request.modelled.speed)
    ports = ports_for(request.names)
    server = UsbipServer(list(ports.values()), say, patience=patience)
    rehearsal = Rehearsal(
        server,
        ports,
        Factory(request.modelled.family, size_mb=request.size_mb, seed=request.modelled.any_seed()),
        faults=request.modelled.faults,
        timing=UNLIMITED if request.unlimited else Timing(),
        tolerant=request.tolerant,
    )
    stop = Stop()
    async with trio.open_nursery() as nursery:
        await nursery.start(obey_signals, stop)
        listeners: Sequence[trio.SocketListener] = ()
        if request.listen is not None:
            host, tcp_port = parse_address(request.listen, "--listen")
            listeners = await listen_tcp(tcp_port, host)
            await nursery.start(server.serve, listeners)
        if request.attach:
            berths = [
                Berth(name, port, pair)
                for (name, port), pair in zip(ports.items(), pairs, strict=True)
            ]
            await nursery.start(
                partial(keep_attached, server, vhci, berths, say, patience=patience)
            )
        control = Control(rehearsal, stop.gently.set, patience=patience)
        await nursery.start(control.serve, listener)
        rehearsal.fill()
        _announce(request, ports, pairs, listeners, path)
        await stop.gently.wait()
        nursery.cancel_scope.cancel()


def _announce(
    request: UsbipRequest,
    ports: Mapping[str, object],
    pairs: Sequence[PortPair],
    listeners: Sequence[trio.SocketListener],
    path: Path,
) -> None:
    if request.attach:
        show(slots_section(list(ports), pairs))
    if request.listen is not None:
        host, _ = parse_address(request.listen, "--listen")
        tcp_port = listeners[0].socket.getsockname()[1]
        for name in ports:
            say(f"{name}: usbip --tcp-port {tcp_port} attach -r {host} -b 1-{name[1:]}")
    say(f"rehearsing with {len(ports)} modules; control: {path}")
