"""The record on PostgreSQL: `python -m tests.postgres` runs schema, migrations and store tests."""
