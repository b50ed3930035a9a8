"""Keys: UUIDv7 as text, so that they sort by the time they were made (RFC 9562 5.7)."""

import uuid_utils


def new_id() -> str:
    """A new key, 36 characters; keys made one after the other by one process sort so."""
    return str(uuid_utils.uuid7())
