"""The command line of the gallery: `python -m engines.gallery --help`."""

import argparse
import io
import sys
from pathlib import Path

from PIL import Image

import engines
from engines import ends
from engines.gallery.page import Choice, page, shown
from engines.progress import progress

PICTURE_PX = 224
PICTURE_COLOURS = 64  # of the small pictures' palette, which keeps them light
SHOWN_LEVEL = 5  # of the one picture per category
TRIED = 12  # samples, of which the one with most to see is taken


@ends.told()
def main(arguments: list[str] | None = None) -> int:
    """Write the contact sheet; gives the exit code."""
    parser = ends.Parser(prog="python -m engines.gallery", description="A contact sheet of all engines.")
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder for gallery.html, made if need be")
    add("--engines", type=_names, default=tuple(engines.ENGINES), metavar="A,B", help="categories (default: all)")
    add("--levels", type=_levels, default=(0, 4, 9), metavar="0,4,9", help="levels 0..9 (default 0,4,9)")
    add("--samples", type=_count, default=1, metavar="N", help="samples per type and level (default %(default)s)")
    add("--size-px", type=_count, default=448, metavar="N", help="side of the pictures (default %(default)s)")
    add("--pictures", action="store_true", help="write one small picture per category instead: DIR/<category>.png")
    options = parser.parse_args(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        if options.pictures:
            _pictures(options.engines, options.out)
        else:
            choice = Choice(options.engines, options.levels, options.samples, options.size_px)
            path = options.out / "gallery.html"
            path.write_text(_page(choice), encoding="utf-8")
            print(path)
    except OSError as error:
        what = f"--out must be a folder that can be written, got {options.out}: {error.strerror or error}"
        ends.fail(what, ends.code_of(error))
    return ends.DONE


def _page(choice: Choice) -> str:
    with progress("samples", len(list(shown(choice)))) as advance:
        return page(choice, lambda: advance(1))


def _pictures(names: tuple[str, ...], folder: Path) -> None:
    """One clean sample of each category, the richest of some, half its size and in few colours."""
    for name in names:
        best = b""
        for index in range(TRIED):
            sample = engines.sample(name, split="train", index=index, level=SHOWN_LEVEL, size_px=2 * PICTURE_PX)
            data = io.BytesIO()
            Image.fromarray(sample.image).reduce(2).quantize(PICTURE_COLOURS).save(data, "PNG", optimize=True)
            best = max(best, data.getvalue(), key=len)
        (folder / f"{name}.png").write_bytes(best)
        print(folder / f"{name}.png")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in engines.ENGINES:
            raise argparse.ArgumentTypeError(f"must be categories ({', '.join(engines.ENGINES)}), got {name!r}")
    return names


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number > 0, got {text!r}")
    return int(text)


def _levels(text: str) -> tuple[int, ...]:
    levels = tuple(int(part) if part.isdigit() else -1 for part in text.split(","))
    if not all(0 <= level <= 9 for level in levels):
        raise argparse.ArgumentTypeError(f"must be numbers within 0..9 with commas between, got {text!r}")
    return levels


if __name__ == "__main__":
    sys.exit(main())
