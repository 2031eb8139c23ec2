"""Maps beside a picture, known exactly: how far each pixel is, which thing it shows, where something stands.

    engines.maps.maps(sample)["depth"]  # float32 [H, W], aligned with sample.image

| map | at each pixel |
|---|---|
| `depth` | float32, from 0 nearest to the viewer to 1 farthest, on a scale that is the engine's and no picture's own |
| `segments` | int32: 0 background, k the scene's k-th thing |
| `occupancy` | bool: something stands here |

An engine gives those that its pictures have (`Engine.maps`), of the clean picture; the frame around a scene is as far
as can be, and background. The maps of a photographed sample are fetched through the camera of its photograph, each
pixel the nearest one of the clean map; beyond the sheet it is as far as can be, and background, too. Grain, blur and
light change no map.
"""

import numpy as np

import engines
from engines.again import posed_again
from engines.base import Engine, Posed, QuestionType, Sample, make_rng, pose
from engines.camera import Camera
from engines.photo import held

BEYOND = {"depth": 1.0, "segments": 0, "occupancy": False}  # the sheet, in a photograph


def maps(sample: Sample) -> dict[str, np.ndarray]:
    """The maps of a sample, each [H, W] as its picture; none if its engine has none for such a scene.

    The scene is made again from the sample's name: equal samples have equal bytes in every process.

    Raises:
        ValueError: the sample is of another version than its engine.
    """
    engine = engines.ENGINES[sample.engine]
    if sample.version != engine.version:
        versions = f"version {engine.version}, got version {sample.version}"
        raise ValueError(f"maps of {engine.name} are made of samples of {versions}")
    if engine.maps is None:
        return {}
    kind = next(kind for kind in engine.types if kind.name == sample.question_type)
    posed = _posed(engine, kind, sample)
    style = engines.style_of(engine, kind, split=sample.split, index=sample.index, level=sample.level)
    style = style._replace(is_photographed=sample.photographed)
    clean = engine.maps(posed.scene, sample.size_px, style)
    if not sample.photographed or not clean:
        return clean
    drawing = engine.draw(posed.scene, sample.size_px, style)
    _, taken = held(drawing, make_rng("photo", *engines.key_of(sample)), sample.level)
    return photographed(clean, taken)


def photographed(clean: dict[str, np.ndarray], taken: Camera) -> dict[str, np.ndarray]:
    """Maps of a clean picture, [H, H] each, where a camera's photograph of it shows them."""
    size_px = taken.size_px
    middles = np.arange(size_px) + 0.5
    places = np.floor(taken.back(np.stack(np.meshgrid(middles, middles), -1))).astype(np.int64)
    is_sheet = ((places >= 0) & (places < size_px)).all(-1)
    columns, rows = np.moveaxis(places.clip(0, size_px - 1), -1, 0)
    return {
        name: np.where(is_sheet, found[rows, columns], np.asarray(BEYOND[name], found.dtype))
        for name, found in clean.items()
    }


def _posed(engine: Engine, kind: QuestionType, sample: Sample) -> Posed:
    """What was posed for a sample, or for a variant of one."""
    place = {"split": sample.split, "index": sample.index, "level": sample.level}
    posed = pose(engine, kind, **place)
    if not sample.variant:
        return posed
    asked = posed_again(engine, kind, posed, **place)
    return next(again for number, again in asked if number == sample.variant)
