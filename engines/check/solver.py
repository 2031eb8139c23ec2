"""The reference solver: the answer of the most similar picture with the most similar question, among some known ones.

It sees a small grey picture and the words, knows nothing of any engine, and is right where a level has few scenes to
tell apart. As levels grow it must err more often; a level at which it does not may be larger without being harder.
"""

import re
import zlib

import cv2
import numpy as np

import engines
from engines.base import pose
from engines.check.blind import is_right
from engines.check.cell import MISTAKES, Cell, Task

SIDE_PX = 20  # of the picture that it sees
WORDS = 256  # hashed words that it reads
_TOKEN = re.compile(r"[A-Za-z]+|-?\d+(?:\.\d+)?")


def solve(task: Task, cell: Cell) -> None:
    """Show the solver some pictures of a cell with their answers, and ask it about as many others."""
    engine = engines.ENGINES[task.engine]
    kind = next(kind for kind in engine.types if kind.name == task.kind)
    size_px = kind.min_size_px[task.level]
    seen, answers = [], []
    try:
        for index in range(2 * task.solved):
            posed = pose(engine, kind, split=cell.split, index=index, level=task.level)
            style = engines.style_of(engine, kind, split=cell.split, index=index, level=task.level)
            picture = np.asarray(engine.draw(posed.scene, size_px, style).image)
            seen.append(_glance(picture, posed.question))
            answers.append(posed.answer)
    except MISTAKES as error:
        cell.fail("level", f"{type(error).__name__}: {error}")
        return
    known, asked = np.array(seen[::2]), np.array(seen[1::2])
    nearest = (asked @ known.T).argmax(1).tolist()
    hits = [is_right(answers[2 * place], answer) for place, answer in zip(nearest, answers[1::2], strict=True)]
    cell.solved, cell.shown = float(np.mean(hits)), len(hits)


def _glance(picture: np.ndarray, question: str) -> np.ndarray:
    """What the solver keeps of a picture and a question: float32 [n], of length 1."""
    grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    grey = grey.astype(np.float32).ravel() - grey.mean()
    words = np.zeros(WORDS, np.float32)
    words[[zlib.crc32(word.lower().encode()) % WORDS for word in _TOKEN.findall(question)]] = 1.0
    parts = [part / max(float(np.linalg.norm(part)), 1e-6) for part in (grey, words)]
    glance = np.concatenate(parts)
    return glance / np.linalg.norm(glance)
