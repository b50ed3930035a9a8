"""Time for whole trays, as the engine's tests have it; and what commands are copied from, made
before there is a thread or a libusb."""

from tests.engine.conftest import tray_clock
from tests.programs import template

template()

__all__ = ["tray_clock"]
