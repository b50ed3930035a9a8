"""The record: what happened to which unit, insert-only.

`writer` appends, `queries` reads, `migrate` builds and upgrades the database; nothing else in
the station knows SQL.
"""
