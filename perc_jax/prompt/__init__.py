"""From text and pictures to arrays, on the host: chat text, tokens, positions, patches; published models' small files.

numpy and Pillow; no device, no rewards, no sources of questions.
"""
