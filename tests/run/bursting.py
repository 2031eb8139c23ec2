"""`python -m tests.run.bursting …`: `perc_jax.train`, whose optimizer takes parameters beyond float32 in one update.

No value that a config allows does that; a fault of an optimizer or of the machine would. Its state is that of the sound
one.
"""

from typing import Any

import jax
import optax

from perc_jax import train
from perc_jax.update import optimizer

SOUND = optimizer._adamw
BEYOND = 3e38  # times another of it


def bursting(*how: Any) -> optax.GradientTransformation:
    """AdamW, its updates so large that no parameter stays finite."""
    inner = SOUND(*how)

    def update(*given: Any) -> tuple[Any, Any]:
        changes, state = inner.update(*given)
        return jax.tree.map(lambda change: change * BEYOND * BEYOND, changes), state

    return optax.GradientTransformation(inner.init, update)


def main() -> None:
    """Train."""
    optimizer._adamw = bursting
    train.main()


if __name__ == "__main__":
    main()
