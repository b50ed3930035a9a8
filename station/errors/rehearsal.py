"""L62x: rehearsing with simulated modules on a real kernel."""

from station.errors.line import LineError


class RehearsalError(LineError):
    """Simulated modules that cannot be shown to the kernel, or cannot be reached."""


class NoVhci(RehearsalError):
    code = "L620"
    headline = "NO VHCI"
    remedy = "Load the kernel's virtual USB host controller: `sudo modprobe vhci_hcd`."


class NeedsRoot(RehearsalError):
    code = "L621"
    headline = "NEEDS ROOT"
    remedy = "Run the command with sudo: only root may attach devices to the kernel."


class VhciTaken(RehearsalError):
    code = "L622"
    headline = "PORT TAKEN"
    remedy = "See `usbip port`; free the port with `sudo usbip detach -p PORT`, or stop its owner."


class NoRehearsal(RehearsalError):
    code = "L623"
    headline = "NO REHEARSAL"
    remedy = "Start one: `station sim usbip`, or name its control socket with --control."


class NoExporter(RehearsalError):
    code = "L624"
    headline = "NO EXPORTER"
    remedy = (
        "Start `station sim usbip --listen HOST:PORT` there; see that the network lets it pass."
    )
