"""What an auditor takes home: answers of the record in one file that proves itself. Pure.

A ZIP archive with exactly these members, in this order:

    attempts.jsonl   an attempt to a line, as `audit find --json` tells it, oldest first
    attempts.csv     the same attempts, flat
    manifest.json    the question; digest, length and rows of the two; how far the record went, and
                     whether it had been held against its chain
    manifest.sig     Ed25519 over the bytes of manifest.json, by the station's key

manifest   its two last members
writing    a bundle made, in bounded memory; equal content is equal bytes
framing    the bytes around the members, each of them known
checking   a bundle taken for hostile until it proved to be none; no database, no settings
"""
