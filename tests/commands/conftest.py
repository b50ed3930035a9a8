"""Time for whole trays, as the engine's tests have it."""

from tests.engine.conftest import tray_clock

__all__ = ["tray_clock"]
