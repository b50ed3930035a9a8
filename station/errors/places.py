"""U12x: a slot whose place in the USB tree cannot be trusted; nothing is flashed there."""

from station.errors.base import Blame
from station.errors.usb import UsbError


class PlaceDoubtful(UsbError):
    """The slot is disabled until the engine starts anew and finds everything in its place."""

    blame = Blame.REFUSAL


class HubMoved(PlaceDoubtful):
    code = "U120"
    headline = "HUB MOVED"
    remedy = "Plug the hub back where it was and restart the engine, or learn the slots anew."


class HubsSwapped(PlaceDoubtful):
    code = "U121"
    headline = "HUBS SWAPPED"
    remedy = "Exchange the plugs of the two hubs and restart the engine, or learn the slots anew."


class HubMissing(PlaceDoubtful):
    code = "U122"
    headline = "HUB MISSING"
    remedy = "Check plug and power supply of the hub, then restart the engine."


class HubReplaced(PlaceDoubtful):
    code = "U123"
    headline = "OTHER HUB"
    remedy = "Put the right hub back and restart the engine, or learn the slots anew."


class ControllerMissing(PlaceDoubtful):
    code = "U124"
    headline = "NO CONTROLLER"
    remedy = "Put the USB card back into its place and restart the engine, or learn the slots anew."


class PortMissing(PlaceDoubtful):
    code = "U125"
    headline = "NO SUCH PORT"
    remedy = "Correct the slot's ports (`station slots list` shows all), then restart the engine."


class PortsUnpaired(PlaceDoubtful):
    code = "U126"
    headline = "NOT ONE SOCKET"
    remedy = "Give the slot the two ports of one socket (see `station slots list`), then restart."


class PortShared(PlaceDoubtful):
    code = "U127"
    headline = "PORT IN TWO SLOTS"
    remedy = "Give each slot ports of its own (see `station slots list`), then restart the engine."
