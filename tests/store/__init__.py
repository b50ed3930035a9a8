"""The record: real SQLite files, made by the real migrations."""
