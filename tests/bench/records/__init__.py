"""How the record answers when it is large; see `__main__`."""
