"""Processes and the screen: worker processes and their end, progress and the watchdog, Ctrl-C in one line.

Nothing here knows what the work is.
"""
