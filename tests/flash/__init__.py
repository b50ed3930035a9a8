"""How one unit is flashed."""
