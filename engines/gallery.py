"""A contact sheet of every question type: `python -m engines.gallery --out DIR [--size-px N] [--levels 0,4,9]`.

Writes one self-contained `DIR/gallery.html`: by category, type and level, each sample clean and photographed, with its
question and gold answer. A type is left out at levels where it is not legible at the size asked for.
"""

import argparse
import base64
import html
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import engines
from engines.base import Engine, QuestionType

STYLE = """
body { font: 14px sans-serif; margin: 24px; color: #222; }
h2 { border-bottom: 2px solid #888; padding-bottom: 4px; }
.row { display: flex; flex-wrap: wrap; gap: 18px; }
figure { margin: 0 0 14px 0; }
figcaption { max-width: 42em; width: min-content; min-width: 100%; padding-top: 4px; }
img { border: 1px solid #ccc; margin-right: 4px; }
.level { color: #777; } .gold { font-weight: bold; }
"""


def main(arguments: list[str] | None = None) -> int:
    """Write the contact sheet; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engines.gallery", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for gallery.html, made if need be"
    )
    parser.add_argument(
        "--size-px", type=int, default=224, metavar="N", help="side of the pictures (default %(default)s)"
    )
    parser.add_argument("--levels", type=_levels, default=(0, 2, 4, 6, 9), metavar="0,4,9", help="levels 0..9 to show")
    options = parser.parse_args(arguments)
    if options.size_px < 28:
        parser.error(f"--size-px must be at least 28, got {options.size_px}")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / "gallery.html"
        path.write_text(page(options.size_px, options.levels), encoding="utf-8")
    except OSError as error:
        print(
            f"error: --out must be a folder that can be written, got {options.out}: {error.strerror}", file=sys.stderr
        )
        return 1
    print(path)
    return 0


def page(size_px: int, levels: tuple[int, ...]) -> str:
    """The whole contact sheet as HTML."""
    parts = [f"<!doctype html><meta charset=utf-8><title>Engines</title><style>{STYLE}</style>"]
    for done, engine in enumerate(engines.ENGINES.values(), 1):
        print(f"[{done}/{len(engines.ENGINES)}] {engine.name}: {len(engine.types)} types", flush=True)
        parts.append(f"<h2>{engine.name} (version {engine.version})</h2>")
        for kind in engine.types:
            parts.append(f"<h3>{kind.name}{' (held out)' if kind.held_out else ''}</h3><div class=row>")
            parts += [_figure(engine, kind, level, size_px) for level in levels if kind.min_size_px[level] <= size_px]
            parts.append("</div>")
    return "\n".join(parts)


def _levels(text: str) -> tuple[int, ...]:
    levels = tuple(int(part) if part.isdigit() else -1 for part in text.split(","))
    if not all(0 <= level <= 9 for level in levels):
        raise argparse.ArgumentTypeError(f"must be numbers within 0..9 with commas between, got {text!r}")
    return levels


def _figure(engine: Engine, kind: QuestionType, level: int, size_px: int) -> str:
    """One sample, clean and photographed."""
    split = "test_d" if kind.held_out else "train"
    name = {"split": split, "index": 0, "level": level, "question_type": kind.name, "size_px": size_px}
    clean, photo = (engines.sample(engine.name, **name, photo=photo) for photo in (False, True))
    question, gold = html.escape(clean.question), html.escape(clean.answer.text())
    return (
        f"<figure>{_img(clean.image)}{_img(photo.image)}<figcaption><span class=level>level {level}</span> "
        f"{question} <span class=gold>{gold}</span></figcaption></figure>"
    )


def _img(image: np.ndarray) -> str:
    data = io.BytesIO()
    Image.fromarray(image).save(data, format="PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}">'


if __name__ == "__main__":
    sys.exit(main())
