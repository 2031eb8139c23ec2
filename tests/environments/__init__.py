"""Environments: the grammar of calls, the games, conversations, processes that play them."""
