"""The line as people see it: real processes on real terminals, from the first tray to the end.

    python -m tests.session [--keep DIR] [--speed N]

Needs tmux. Not collected by pytest: it takes minutes.
"""
