"""What may go wrong, in all its combinations, against what the station promises of it."""
