"""Packages, their files, the store."""
