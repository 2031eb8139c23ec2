"""What is kept on disk, local or gs://: checkpoints with their digests, metrics, lines, whole files.

Arrays, numbers and text go in and come out; what they mean to a run is not known here.
"""
