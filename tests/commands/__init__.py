"""The commands as their users type them."""
