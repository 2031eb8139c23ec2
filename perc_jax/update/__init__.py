"""Learning on the device: log-probabilities of given completions, advantages, losses, gradients, the optimizer.

Pure functions of parameters and batches; where these lie and where rewards come from is not known here.
"""
