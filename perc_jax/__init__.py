"""Post-train Qwen2.5-VL to perceive: GRPO in JAX on data engines' pictures."""
