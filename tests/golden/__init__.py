"""What must not change unnoticed: plans, screens, and what host and module say to each other."""
