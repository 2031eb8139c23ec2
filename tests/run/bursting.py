"""`python -m tests.run.bursting …`: `perc_jax.train`, whose optimizer takes parameters beyond float32 in one update.

No value that a config allows does that; a fault of an optimizer or of the machine would.
"""

import optax

from perc_jax import train
from perc_jax.update import optimizer

BEYOND = 3e38  # times another of it


def main() -> None:
    """Train."""
    sound = optimizer._adamw
    optimizer._adamw = lambda *how: optax.chain(sound(*how), optax.scale(BEYOND), optax.scale(BEYOND))
    train.main()


if __name__ == "__main__":
    main()
