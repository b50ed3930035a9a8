"""Many slots: who sits where, one task per slot, one failure boundary per attempt."""
