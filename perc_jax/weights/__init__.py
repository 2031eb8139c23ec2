"""Weights on disk: safetensors straight into a mesh's layout and back, and whole Hugging Face folders in and out.

Names and tensors only; nothing is trained or sampled here.
"""
