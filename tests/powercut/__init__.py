"""The power of the station's machine is cut, again and again; what it told must still be so.

The station runs in a guest. Its record lies on a disk that loses what was not flushed; the modules
are outside and keep what they were given.
"""
