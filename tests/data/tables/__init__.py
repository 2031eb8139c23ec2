"""Tests of perc_jax.data.tables."""
