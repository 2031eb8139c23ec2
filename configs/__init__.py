"""Recipes: each file defines `get_config() -> Config` and starts with its command."""
