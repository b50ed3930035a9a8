"""Which ports are one socket and may be switched; everything doubtful is refused in words."""

from collections.abc import Collection

from station.places import PortPath
from station.transport.usb_tree import HubPort, Topology


class NotSwitchable(Exception):
    """These ports are not switched; `why` is for people."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def ports_of_socket(tree: Topology, paths: Collection[PortPath]) -> tuple[HubPort, ...]:
    """The ports of one slot with their companions, SuperSpeed first.

    Raises NotSwitchable for ports that are not there, carry a hub, are paired otherwise than the
    slot says, or whose companion nobody knows.
    """
    if not paths:
        raise NotSwitchable("the slot has no port on this machine")
    named = {path: _port(tree, path) for path in sorted(paths)}
    found = dict(named)
    for path, port in named.items():
        if port.claimed_peer != port.peer:
            raise NotSwitchable(
                f"ports {path} and {port.claimed_peer} disagree on being one socket"
            )
        if port.peer is None:
            _check_alone(tree, port)
        elif port.peer in named or len(named) == 1:
            found[port.peer] = _port(tree, port.peer)
        else:
            others = ", ".join(str(other) for other in named if other != path)
            raise NotSwitchable(f"the slot has {path} and {others}, but {path} is with {port.peer}")
    for port in found.values():
        if tree.carries_hub(port):
            raise NotSwitchable(f"port {port.path} carries a hub")
    return tuple(sorted(found.values(), key=lambda port: -(port.location.revision or 0)))


def _port(tree: Topology, path: PortPath) -> HubPort:
    port = tree.port(path)
    if port is None:
        raise NotSwitchable(f"there is no port {path}")
    return port


def _check_alone(tree: Topology, port: HubPort) -> None:
    """A port of the machine itself has a companion if its controller has USB 3."""
    hub = tree.hub(port.hub)
    if hub is None:
        raise NotSwitchable(f"there is no hub {port.hub}")
    controller = tree.controller(port.location.controller)
    if hub.is_root and (controller is None or len(controller.buses) > 1):
        raise NotSwitchable(f"nobody knows the companion of {port.path}, a port of the machine")
