"""One file per command of `station`. stdout is data, stderr is narration."""
