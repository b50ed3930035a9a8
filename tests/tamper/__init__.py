"""Somebody changes the record in its file; whoever looks later must find it, and name it."""
