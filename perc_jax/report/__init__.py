"""Pages about runs: what a workdir holds as one HTML file, several runs side by side, samples to look at.

Also the command `python -m perc_jax.report`. It reads what a run has written and never the run itself.
"""
