"""A contact sheet of every question type: `python -m engines.gallery --out DIR [--levels 0,4,9] [--size-px N]`.

Writes one self-contained `DIR/gallery.html`: by category, type and level, each sample clean and photographed, with its
question, its gold answer and how often a blind guess finds it; the scene in words, the further facts and the call that
makes the sample are there to be opened. The page needs nothing from the network.
"""
