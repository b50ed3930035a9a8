"""Tests mirror `station/` one to one."""
