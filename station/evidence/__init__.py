"""What was said on the wire, kept for each attempt: written, stored by digest, read again.

transcript   the messages of one attempt, in bounded memory
lines        one entry as one JSON line
cabinet      the folder: files by digest, spools of attempts under way
reading      a stored transcript, taken for hostile until it proved to be none
words        entries as people read them, by the protocols' own decoders
"""
