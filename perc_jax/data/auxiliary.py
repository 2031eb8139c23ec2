"""Perception tokens of a sample: its map in codes, or the boxes of its parts in places, as text.

    <DEPTH_START><DEPTH_17><DEPTH_4>…<DEPTH_END>
    red cube <PIXEL_3><PIXEL_10><PIXEL_9><PIXEL_17>

Codes stand row by row. A box is left, top, right, bottom, each the part of the picture's side that it lies in; boxes
stand from left to right, one in a line. What is written is exact, but for the codebook's own error. After Bigverdi et
al. (arXiv 2412.03548, sections 3.1 and 3.2).
"""

from engines.base import Sample
from engines.maps import maps
from perc_jax.config import CodesConfig
from perc_jax.prompt import codebook


def alone(before: str, codes: CodesConfig) -> str:
    """What is asked of who is to write a map or boxes, and nothing else."""
    return f"Write the {codes.map} map of the picture." if before == "map" else "Write the boxes of the picture."


def written(sample: Sample, before: str, codes: CodesConfig) -> str:
    """A sample's map or boxes; empty where its engine has none."""
    return map_of(sample, codes) if before == "map" else boxes_of(sample, codes)


def map_of(sample: Sample, codes: CodesConfig) -> str:
    """A sample's map in codes; empty where its engine has no such map. Raises what `codebook.of` raises."""
    found = maps(sample).get(codes.map)
    if found is None:
        return ""
    numbers = codebook.of(codes).codes(found)
    return codes.start + "".join(f"<{codes.map.upper()}_{number}>" for number in numbers) + codes.end


def boxes_of(sample: Sample, codes: CodesConfig) -> str:
    """The boxes of a sample's parts; empty where it has none."""
    parts = sorted((mark.box, mark.name) for mark in sample.marks if mark.kind == "part")
    lines = [f"{name} {''.join(_place(x, sample.size_px, codes.places) for x in box)}" for box, name in parts]
    return "\n".join(lines)


def _place(x_px: float, size_px: int, places: int) -> str:
    return f"<PIXEL_{min(max(int(x_px * places / size_px), 0), places - 1)}>"
