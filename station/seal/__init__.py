"""Tamper evidence without a database: rows as bytes, the hash chain, keys, checkpoints.

Pure: `station.store` keeps what is made here, `station.commands` shows and checks it.
"""
