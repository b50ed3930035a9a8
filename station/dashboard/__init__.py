"""The live screen: a client of the engine, in a process of its own (Textual on asyncio)."""
