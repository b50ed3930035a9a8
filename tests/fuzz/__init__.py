"""The parsers of hostile bytes, all in one table, fed by hypothesis and by a guided fuzzer."""
