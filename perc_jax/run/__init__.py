"""The run itself: stages in order, each step from data over rollout, reward and advantages to update and checkpoint.

Only the command `train` imports this wing; whatever can stand alone lives further down.
"""
