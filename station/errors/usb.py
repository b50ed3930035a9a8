"""U1xx: the wire."""

from station.errors.base import Blame, StationError


class UsbError(StationError):
    """Something on the USB side; the three words of a handle are kept apart:
    busy (somebody else has it), closed (we closed it), broken (the world broke it)."""


class NoUsb(UsbError):
    code = "U101"
    headline = "NO USB"
    remedy = "Reseat the module; if it stays dark, put it in the red bin: it does not enumerate."
    blame = Blame.REFUSAL


class Disconnected(UsbError):
    code = "U102"
    headline = "LOST"
    remedy = "Check cable and contacts of the slot, then run the module again."
    retryable = True


class Timeout(UsbError):
    code = "U103"
    headline = "SILENT"
    remedy = "Run the module again; if the slot repeats it, clean its connector."
    retryable = True


class UsbBusy(UsbError):
    code = "U104"
    headline = "USB BUSY"
    remedy = (
        "Stop the program that holds the port (`sudo station doctor` names it), then try again."
    )
    blame = Blame.STATION


class UsbAccess(UsbError):
    code = "U105"
    headline = "NO ACCESS"
    remedy = (
        "Install the udev rule deploy/60-station.rules as /etc/udev/rules.d/60-station.rules, "
        "reseat the module, then try again."
    )
    blame = Blame.STATION


class UsbStall(UsbError):
    code = "U106"
    headline = "USB STALL"
    remedy = "Run the module again; if it repeats, the module or its cable is bad."
    retryable = True


class UsbBroken(UsbError):
    code = "U107"
    headline = "USB ERROR"
    remedy = "Check the cable and the hub of the slot, then run the module again."
    retryable = True


class NoBulkPair(UsbBroken):
    """Its descriptors were read whole, and the port we need is not in them."""

    code = "U112"
    headline = "NO PORTS"
    remedy = "Put it in the red bin: it shows up as a module, but without a module's ports."
    retryable = False


class NoUsbMemory(UsbError):
    """All programs share it, so no module can help it."""

    code = "U113"
    headline = "USB MEMORY"
    remedy = (
        "Raise usbfs_memory_mb as `station doctor` tells, or stop the other programs that use USB; "
        "then run the module again."
    )
    blame = Blame.STATION
    retryable = True


class UsbClosed(UsbError):
    code = "U108"
    headline = "STATION BUG"
    remedy = "Keep the module in its slot and send the log of this attempt to the developers."
    blame = Blame.STATION


class UsbUnavailable(UsbError):
    code = "U109"
    headline = "NO LIBUSB"
    remedy = "Install the station again: libusb comes with its package libusb-package."
    blame = Blame.STATION


class PulledOut(UsbError):
    code = "U110"
    headline = "PULLED OUT"
    remedy = "Put the module back into the slot and run it again; do not ship it as it is."


class PowerUnswitchable(UsbError):
    """Only ever a step of the record: the attempt ends with what made it try."""

    code = "U111"
    headline = "NO POWER SWITCH"
    remedy = "Try the slot with `station slots power-test`; its hub may not switch its ports."
    blame = Blame.STATION


class HubFailed(UsbError):
    code = "U130"
    headline = "HUB FAILED"
    remedy = (
        "Check plug and power of the hub; when its modules are back, run them again. "
        "The units are not blamed; do not ship them as they are."
    )
    blame = Blame.STATION
    retryable = True
