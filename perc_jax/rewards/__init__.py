"""What a completion earns, on the host: strict verification in processes that can be killed, and signs of hacking.

Texts and answers in, numbers out; advantages are made of them elsewhere.
"""
