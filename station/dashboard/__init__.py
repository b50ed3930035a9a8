"""The live screen: a client of the engine, in a process of its own (Textual on asyncio)."""

import os

# A tray changes four times a second; Textual reads this once, when it is imported.
os.environ.setdefault("TEXTUAL_FPS", "15")
