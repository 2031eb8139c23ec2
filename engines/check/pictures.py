"""What is drawn of one type at one level: fit to be read, clean and photographed, in its final pixels.

Checked by `engines.marks`: everything marked is inside the frame, texts are large enough, clear of each other and of
good contrast, and the margins on which answers rest are kept, also where a photograph moves them. The scene's parts
must be marked, so that there is something to check.
"""

import functools
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image

import engines
from engines.base import Engine, QuestionType, Scene, Style, make_rng, pose
from engines.check.cell import MISTAKES, Cell, Task
from engines.check.readable import misread
from engines.marks import Drawing, contrast_faults, faults
from engines.photo import held, photograph
from engines.plot import looks_matplotlib


def look(task: Task, cell: Cell) -> None:
    """Draw the samples of a task in their own look and another, photograph them, and add what is wrong to its cell."""
    engine = engines.ENGINES[task.engine]
    kind = next(kind for kind in engine.types if kind.name == task.kind)
    spent = {"draw": 0.0, "photo": 0.0}
    full = 0  # pictures of full size and not in matplotlib's look, which are timed
    for index in range(task.drawn):
        try:
            scene = pose(engine, kind, split=cell.split, index=index, level=task.level).scene
            for style, size_px in _looks(engine, kind, cell, index, task):
                times = _picture(engine, kind, cell, scene, style, size_px, index)
                if size_px == task.size_px and not looks_matplotlib(style):
                    full += 1
                    spent = {stage: spent[stage] + times[stage] for stage in spent}
        except MISTAKES as error:
            cell.fail("picture", f"{type(error).__name__}: {error}", index)
    if full:
        cell.times_ms |= {stage: seconds * 1e3 / full for stage, seconds in spent.items()}


def _looks(engine: Engine, kind: QuestionType, cell: Cell, index: int, task: Task) -> Iterator[tuple[Style, int]]:
    """The sample's own look at full size, and a theme of each in turn at the smallest size allowed."""
    smallest = kind.min_size_px[task.level]
    if smallest <= task.size_px:
        yield engines.style_of(engine, kind, split=cell.split, index=index, level=task.level), task.size_px
    seed = int(make_rng("look", engine.name, kind.name, index, task.level).integers(2**31))
    yield Style((index + task.level) % engine.themes, seed), smallest


def _picture(
    engine: Engine, kind: QuestionType, cell: Cell, scene: Scene, style: Style, size_px: int, index: int
) -> dict[str, float]:
    """Draw a scene and photograph it; gives the seconds of each."""
    began = time.process_time()
    drawing = engine.draw(scene, size_px, style)
    drawn = time.process_time()
    where = f"({size_px} px, theme {style.theme})"
    for fault in _clean_faults(drawing, size_px):
        cell.fail("picture", fault if fault.startswith("missing:") else f"{fault} {where}", index)
    if not isinstance(drawing, Drawing):
        return {"draw": drawn - began, "photo": 0.0}
    _warm_up(size_px)
    drawing = engine.draw(scene, size_px, style._replace(is_photographed=True))
    key = ("photo", engine.name, engine.version, kind.name, cell.split, index, cell.level)
    rng = make_rng(*key)
    again = time.process_time()
    photo = photograph(drawing, rng, cell.level)
    ends = time.process_time()
    for fault in (*faults(photo, is_photo=True), *contrast_faults(np.asarray(photo.image), photo.marks)):
        cell.fail("photo", f"{fault} photographed {where}", index)
    _, taken = held(drawing, make_rng(*key), cell.level)
    for fault in misread(drawing, taken.view, scene.to_json()):
        cell.fail("readable", f"{fault} photographed {where}", index)
    return {"draw": drawn - began, "photo": ends - again}


@functools.cache
def _warm_up(size_px: int) -> None:
    """Take a first photograph: what is made once a process (banks of noise) is no part of what a photograph costs."""
    photograph(Drawing(Image.new("RGB", (size_px, size_px))), make_rng("warm-up"), 0)


def _clean_faults(drawing: Drawing, size_px: int) -> Iterator[str]:
    if not isinstance(drawing, Drawing):
        yield "missing: marks, draw must give a Drawing"
        return
    if drawing.image.size != (size_px, size_px):
        yield f"picture of {drawing.image.size}"
    if not any(mark.kind == "part" for mark in drawing.marks):
        yield "missing: parts, call canvas.part for what a question may mean"
    yield from faults(drawing)
    yield from contrast_faults(np.asarray(drawing.image), drawing.marks)
