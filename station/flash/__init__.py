"""How ONE unit is flashed. Knows no slots and no database."""
