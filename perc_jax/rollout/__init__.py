"""Sampling on the device: prefill once per prompt, decode a group together, in slots that the next prompt enters; in
turns, where what an environment replies goes through each completion's own cache.

Token ids only: text, rewards, losses and the placing of arrays on a mesh do not belong here.
"""
