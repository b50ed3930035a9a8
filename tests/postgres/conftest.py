"""These tests need the server of `python -m tests.postgres`; elsewhere nothing is collected, and
nothing skipped."""

from tests.postgres.databases import SERVER

collect_ignore_glob = [] if SERVER else ["test_*.py"]
