"""`perc_jax.train` that waits two seconds only for a workdir to be seen by all processes."""

from perc_jax import train
from perc_jax.run import together

if __name__ == "__main__":
    together.SHARED_S = 2.0
    train.main()
