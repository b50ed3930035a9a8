"""File formats of releases, and the store they are kept in. Everything here blocks on disk."""
