"""Many slots, whole attempts, real database files."""
