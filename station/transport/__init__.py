"""The world behind a port: real USB here, simulated modules in `station.sim`."""
