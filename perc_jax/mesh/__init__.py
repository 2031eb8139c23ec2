"""Where arrays lie: the mesh over all devices, the moves between host and mesh, and the processes of a run joined.

It knows parameters and batches as trees of arrays; what is computed on them, and with which text, is not its affair.
"""
