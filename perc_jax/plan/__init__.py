"""A run on machines that are not here: its programs compiled, their memory, exchanges, operations and seconds.

Also the command `python -m perc_jax.plan`. Nothing here executes a program of a run.
"""
