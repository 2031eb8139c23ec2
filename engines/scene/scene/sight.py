"""How much of each thing is seen: outlines filled from the back to the front on a raster, and pixels counted."""

from collections.abc import Sequence

import cv2
import numpy as np

from engines.scene.scene.things import Thing, outline

SIDE = 250  # pixels of the raster along an edge
SHIFT = 4  # binary places of a pixel that corners keep


def counts(things: Sequence[Thing]) -> tuple[tuple[int, int], ...]:
    """By thing: the pixels that are seen, and the pixels of its whole outline."""
    shapes = [np.rint(outline(thing) * (SIDE / 1000 * (1 << SHIFT))).astype(np.int32) for thing in things]
    picture, alone = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    whole = [0] * len(things)
    for place in sorted(range(len(things)), key=lambda place: things[place].y):
        cv2.fillConvexPoly(picture, shapes[place], place + 1, cv2.LINE_8, SHIFT)
        left, top, width, height = cv2.boundingRect(shapes[place] >> SHIFT)
        room = alone[max(top - 1, 0) : top + height + 2, max(left - 1, 0) : left + width + 2]
        room[...] = 0
        cv2.fillConvexPoly(alone, shapes[place], 1, cv2.LINE_8, SHIFT)
        whole[place] = cv2.countNonZero(room)
    seen = np.bincount(picture.ravel(), minlength=len(things) + 1)[1:].tolist()
    return tuple(zip(seen, whole, strict=True))


def overlap(back: Thing, front: Thing) -> float:
    """The share of one thing's outline that lies behind another's."""
    one, other = (outline(thing).astype(np.float32) for thing in (back, front))
    return cv2.intersectConvexConvex(one, other)[0] / cv2.contourArea(one)


def hidden(seen: tuple[int, int]) -> float:
    """The share of a thing that is not seen."""
    return 1 - seen[0] / seen[1]
