"""Production-line flashing station for cellular modules."""

__version__ = "0.1.0"
