"""Sampling on the device: prefill once per prompt, decode a group together, in slots that the next prompt enters.

Token ids only: text, rewards, losses and the placing of arrays on a mesh do not belong here.
"""
