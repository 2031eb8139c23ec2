"""`python -m perc_jax.bench device`: what an accelerator does, in one command of at most ten minutes.

Peak and bandwidth, parity of attention, prefill and decode, updates, CLIP, a peer in torch: each is a part, in a
process of its own, with a time of its own. What a part found is a file as soon as it is there; a part that fails is a
line.

`command` starts the parts and writes the table, `one` is the process of a part, `parts` lists them. Where parts are
started nothing else of this folder runs but `page` and `folder`: an accelerator belongs to one process at a time.
"""
