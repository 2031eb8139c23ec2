"""What a picture of things on a floor shows, and how much of each is seen."""

from engines.scene.scene.sight import counts, hidden, overlap
from engines.scene.scene.things import SHAPES, SIZES, SURFACES, Floor, Thing, outline

__all__ = ["SHAPES", "SIZES", "SURFACES", "Floor", "Thing", "counts", "hidden", "outline", "overlap"]
