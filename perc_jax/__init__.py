"""Post-train Qwen2.5-VL to perceive: GRPO in JAX on data engines' pictures."""

import sys

if sys.argv[:1] == ["-m"] and "perc_jax." in sys.orig_argv[-len(sys.argv)]:
    # `python -m perc_jax.…`: Python is looking for a command of ours, whose own imports take time.
    from perc_jax.processes import interrupts

    interrupts.begin()
