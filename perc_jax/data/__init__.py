"""What a run draws: samples of the engines by number, streamed by worker processes, and the curriculum over them.

Everything is a function of (config, seed, position). No device and no model: a curriculum sees counts alone.
"""
