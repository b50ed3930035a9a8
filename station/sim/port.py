"""A simulated module behind a USB port, without a clock of its own.

`SimPort` knows nothing of trio or threads: every call takes the time (seconds, monotonic) and
answers with a time, so the same module serves the in-process backend, the fake pyusb backend of
the tests and, later, USB/IP.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from station.errors import Disconnected
from station.model import DeviceInfo, Interface, PortPath


@dataclass(frozen=True, slots=True)
class Lie:
    """What a device says of itself that is not so, or not a module's. `configuration`: instead of
    the true descriptor; `extra`: behind each interface descriptor; `report`: of a HID device;
    `mute`: control transfers are never answered."""

    configuration: bytes | None = None
    extra: bytes = b""
    report: bytes | None = None
    empty_strings: bool = False
    mute: bool = False


@dataclass(frozen=True, slots=True)
class Face:
    """How a module enumerates in one mode. `superspeed` picks the companion port."""

    vid: int
    pid: int
    interfaces: tuple[Interface, ...]
    product: str | None = None
    superspeed: bool = False
    lie: Lie = Lie()


@dataclass(frozen=True, slots=True)
class Say:
    """One IN transfer, `after_s` after the module has worked off what it was sent.

    `on_read` is called when the host has taken all of it.
    """

    interface: int
    data: bytes
    after_s: float = 0.0
    on_read: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Many IN transfers, made one at a time as the host takes them, `bytes_per_s` at best."""

    interface: int
    transfers: Iterator[bytes]
    bytes_per_s: float
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Later:
    """What the module does by itself after `after_s`, unless it leaves the bus before."""

    act: Callable[[], "tuple[Reaction, ...]"]
    after_s: float


@dataclass(frozen=True, slots=True)
class Leave:
    """Drop off the bus after `after_s`; return as `face` after `absent_s` more, or never."""

    face: Face | None
    after_s: float = 0.0
    absent_s: float = 0.0


Reaction = Say | Stream | Later | Leave


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one OUT transfer: the module is busy for `busy_s`, then reacts."""

    busy_s: float = 0.0
    reactions: tuple[Reaction, ...] = ()


class Module(Protocol):
    """The device side. Time passes only as the durations in its answers."""

    def power_on(self) -> tuple[Face, tuple[Reaction, ...]]:
        """Plugged in: how it shows up first, and what it says unasked."""
        ...

    def enumerated(self, face: Face) -> tuple[Reaction, ...]:
        """It is back on the bus as `face` (after a `Leave`); what it says or does unasked."""
        ...

    def bus_reset(self) -> tuple[Reaction, ...]:
        """The host has reset its port: same enumeration, nothing under way any more."""
        ...

    def receive(self, interface: int, data: bytes) -> Taken:
        """One OUT transfer on a bulk endpoint; empty data is a zero-length packet."""
        ...

    def control(self, request_type: int, request: int, value: int, index: int) -> None:
        """One control transfer without a data stage, e.g. SET_CONTROL_LINE_STATE."""
        ...


@dataclass(slots=True)
class _Transfer:
    """The head of an IN queue: what is left of `data`, then what `rest` will make."""

    due_s: float
    data: bytes
    on_read: Callable[[], None] | None = None
    rest: Iterator[bytes] | None = None
    bytes_per_s: float = 0.0


@dataclass(slots=True)
class SimPort:
    """One slot's place: `high_speed` path, optional `super_speed` companion, maybe a module."""

    high_speed: PortPath
    super_speed: PortPath | None = None
    module: Module | None = None
    face: Face | None = None
    generation: int = 0
    device_s: float = 0.0
    """Modelled time the module itself spent working; what no station can save."""
    _busy_until_s: float = 0.0
    _leave: tuple[float, Leave] | None = None
    _return: tuple[float, Face] | None = None
    _later: list[tuple[float, Later]] = field(default_factory=list)
    _in: dict[int, deque[_Transfer]] = field(default_factory=dict)

    def plug(self, module: Module, now_s: float) -> None:
        self.unplug()
        self.module = module
        face, reactions = module.power_on()
        self._show(face, now_s)
        self._schedule(reactions, now_s)

    def unplug(self) -> None:
        self.module = None
        self._return = None
        self._vanish()

    def device(self, now_s: float) -> DeviceInfo | None:
        """Who is on the bus at this time."""
        self._settle(now_s)
        if self.face is None:
            return None
        path = self.super_speed if self.face.superspeed and self.super_speed else self.high_speed
        return DeviceInfo(path, self.face.vid, self.face.pid, self.face.interfaces, self.generation)

    def is_at(self, generation: int, now_s: float) -> bool:
        """That enumeration is on the bus at this time."""
        self._settle(now_s)
        return self.face is not None and generation == self.generation

    def next_change_s(self, now_s: float) -> float | None:
        """When the module will leave or come back by itself, if that is already decided."""
        self._settle(now_s)
        if self._leave is not None:
            return self._leave[0]
        return self._return[0] if self._return is not None else None

    def ready_s(self, now_s: float) -> float:
        """When the module takes the next transfer, or leaves; never before `now_s`."""
        self._settle(now_s)
        free_s = max(now_s, self._busy_until_s)
        return free_s if self._leave is None else min(free_s, self._leave[0])

    def write(self, generation: int, interface: int, data: bytes, now_s: float) -> float:
        """Offer one OUT transfer; answers when the module has taken it (it buffers one).

        A zero-length packet needs no room and is taken at once. Raises Disconnected when that
        enumeration is gone.
        """
        module = self._expect(generation, now_s)
        started_s = max(now_s, self._busy_until_s)
        taken = module.receive(interface, data)
        self._busy_until_s = started_s + taken.busy_s
        self.device_s += taken.busy_s
        self._schedule(taken.reactions, self._busy_until_s)
        return started_s if data else now_s

    def control(
        self, generation: int, request_type: int, request: int, value: int, index: int, now_s: float
    ) -> None:
        self._expect(generation, now_s).control(request_type, request, value, index)

    def reset(self, generation: int, now_s: float) -> None:
        """The host resets the port. Raises Disconnected when that enumeration is gone."""
        module = self._expect(generation, now_s)
        self._in.clear()
        self._later.clear()
        self._busy_until_s = now_s
        self._schedule(module.bus_reset(), now_s)

    def read(
        self, generation: int, interface: int, max_bytes: int, now_s: float
    ) -> bytes | float | None:
        """Part of one IN transfer; or the time at which something will be there; or None.

        Raises Disconnected when that enumeration is gone.
        """
        self._expect(generation, now_s)
        queue = self._in.get(interface)
        if queue and queue[0].due_s <= now_s:
            return self._take(queue, max_bytes, now_s)
        times_s = [at_s for at_s, _ in self._later]
        if queue:
            times_s.append(queue[0].due_s)
        if self._leave is not None:
            times_s.append(self._leave[0])
        return min(times_s, default=None)

    def _take(self, queue: deque[_Transfer], max_bytes: int, now_s: float) -> bytes:
        head = queue[0]
        data, head.data = head.data[:max_bytes], head.data[max_bytes:]
        if head.data:
            return data
        following = next(head.rest, None) if head.rest is not None else None
        if following is not None:
            # One transfer is prepared while the host takes the one before.
            self._prepare(head, following, max(head.due_s, now_s - self._pace_s(head, following)))
            return data
        queue.popleft()
        if queue:
            queue[0].due_s = max(queue[0].due_s, head.due_s)
        if head.on_read is not None:
            head.on_read()
        return data

    @staticmethod
    def _pace_s(head: _Transfer, data: bytes) -> float:
        return len(data) / head.bytes_per_s

    def _prepare(self, head: _Transfer, data: bytes, start_s: float) -> None:
        pace_s = self._pace_s(head, data)
        head.data, head.due_s = data, start_s + pace_s
        self.device_s += pace_s

    def _expect(self, generation: int, now_s: float) -> Module:
        self._settle(now_s)
        if self.face is None or self.module is None or generation != self.generation:
            raise Disconnected(f"the module on {self.high_speed} is gone")
        return self.module

    def _show(self, face: Face, now_s: float) -> None:
        self.face = face
        self.generation += 1
        self._busy_until_s = now_s
        self._in.clear()

    def _vanish(self) -> None:
        self.face = None
        self._leave = None
        self._later.clear()
        self._in.clear()

    def _schedule(self, reactions: tuple[Reaction, ...], base_s: float) -> None:
        for reaction in reactions:
            due_s = base_s + reaction.after_s
            match reaction:
                case Say(interface, data, _, on_read):
                    self._queue(interface, _Transfer(due_s, data, on_read))
                case Stream(interface, transfers, bytes_per_s):
                    head = _Transfer(due_s, b"", rest=transfers, bytes_per_s=bytes_per_s)
                    if (first := next(transfers, None)) is not None:
                        self._prepare(head, first, due_s)
                        self._queue(interface, head)
                case Later():
                    self._later.append((due_s, reaction))
                case Leave():
                    self._leave = (due_s, reaction)
                case _:
                    assert_never(reaction)
        self.device_s += max((reaction.after_s for reaction in reactions), default=0.0)

    def _queue(self, interface: int, transfer: _Transfer) -> None:
        queue = self._in.setdefault(interface, deque())
        if queue:
            transfer.due_s = max(transfer.due_s, queue[-1].due_s)
        queue.append(transfer)

    def _settle(self, now_s: float) -> None:
        """Let every departure, return and deed that is due happen, in order."""
        while self._later or self._leave is not None or self._return is not None:
            later = min(self._later, key=lambda entry: entry[0], default=None)
            leave_s = self._leave[0] if self._leave is not None else None
            if later is not None and later[0] <= now_s and (leave_s is None or later[0] < leave_s):
                self._later.remove(later)
                self._schedule(later[1].act(), later[0])
            elif self._leave is not None and self._leave[0] <= now_s:
                at_s, leave = self._leave
                self._vanish()
                if leave.face is not None:
                    self._return = (at_s + leave.absent_s, leave.face)
                    self.device_s += leave.absent_s
            elif self._return is not None and self._return[0] <= now_s:
                at_s, face = self._return
                self._return = None
                self._show(face, at_s)
                if self.module is not None:
                    self._schedule(self.module.enumerated(face), at_s)
            else:
                return
