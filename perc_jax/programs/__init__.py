"""Every device program of a run: described by its arrays, compiled before step 0, called in its order.

The one place that compiles. What a program computes is written in `rollout/` and `update/`, not here.
"""
