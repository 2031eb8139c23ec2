"""Speed, measured: a run's own programs with a clock around them, beside a peer in a process of its own.

Also the command `python -m perc_jax.bench`. Nothing else imports this wing.
"""
