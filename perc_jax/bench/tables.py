"""How fast rows of a table become prompt rows, beside `datasets` and transformers' processor; time, memory.

`python -m perc_jax.bench.tables --tokenizer FOLDER [--peer]` writes a Parquet table of JPEGs as `datasets` would, reads
rows of it in random order, decodes, resizes, tokenises, cuts patches and lays them out, and tells rows per second of
one core's time. The peer does the same in the same program: its row, chat template, picture processor (with
torchvision's backend where that is installed) and token ids.

Needs the extra `tables`; the peer needs `peer`.
"""

import argparse
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from perc_jax.config import TableConfig, VisionConfig
from perc_jax.data.tables import Table, open_table
from perc_jax.prompt import questions
from perc_jax.prompt.image import open_fitted
from perc_jax.prompt.pretrained import processor
from perc_jax.prompt.prompt import chat_prompt, lay_out
from perc_jax.prompt.tokenizer import IMAGE_PAD, Tokenizer, load

POOL = 64  # pictures that differ; the table repeats them
GROUP_BYTES = 100 * 10**6  # of a row group, as `datasets` writes them
QUALITY = 90  # of the JPEGs
QUESTION = "<image>What is the size of angle {} in degrees, if the two lines are parallel?"
VISION = VisionConfig(  # how pictures are cut, as published; the tower itself is not needed
    depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=(), window_size=112
)


class Measured(NamedTuple):
    """What reading a table costs."""

    rows_per_s: float  # of one core's time
    first_s: float  # from opening to the first prompt row; for the peer to the first row of its own
    memory_mb: tuple[float, ...]  # resident, after equal parts of the rows; empty for the peer


def write(path: Path, rows: int, side_px: int) -> None:
    """Write a table of that many rows, each with a square JPEG, in row groups of 100 MB."""
    import pyarrow as pa
    from pyarrow import parquet

    pool = [_jpeg(number, side_px) for number in range(min(POOL, rows))]
    group = max(1, GROUP_BYTES * len(pool) // sum(map(len, pool)))
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("images", pa.list_(picture)), ("problem", pa.string()), ("answer", pa.string())])
    with parquet.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for start in range(0, rows, group):
            numbers = range(start, min(start + group, rows))
            made = [
                {
                    "images": [{"bytes": pool[number % len(pool)], "path": None}],
                    "problem": QUESTION.format(number),
                    "answer": str(number),
                }
                for number in numbers
            ]
            writer.write_table(pa.Table.from_pylist(made, schema=schema))


def _jpeg(number: int, side_px: int) -> bytes:
    """A picture with smooth shades and some grain, as a photograph has them."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    shades = Image.fromarray(coarse).resize((side_px, side_px), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 6, (side_px, side_px, 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(shades) + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def ours(path: Path, cache: Path, order: Sequence[int], tokenizer: Tokenizer, pixels: Any, parts: int = 4) -> Measured:
    """Read rows in that order with this project."""
    begin = time.perf_counter()
    table = open_table(TableConfig(str(path), cache=str(cache)))
    reader = questions.Reader(tokenizer, VISION, pixels, 2**15)
    _row(table, order[0], reader)
    first = time.perf_counter() - begin
    for number in order:  # unpacks what is asked for, which is done once
        table[number]
    seconds, memory = 0.0, []
    for part in np.array_split(np.array(order), parts):
        seconds += _core_seconds(lambda number: _row(table, number, reader), part.tolist())
        memory.append(_resident_mb())
    return Measured(len(order) / seconds, first, tuple(memory))


def _row(table: Table, number: int, reader: questions.Reader) -> Any:
    """One row of the table as a row of its bucket."""
    row = table[number]
    pictures = [open_fitted(one.name, one.read(), reader.vision, *reader.pixels) for one in row.pictures]
    prompt = chat_prompt(row.chat, pictures, tokenizer=reader.tokenizer, vision=reader.vision)
    tokens, patches = questions.bucket(len(prompt.tokens), prompt.patches, reader.vision)
    pad = reader.tokenizer.ids.pad
    return lay_out(prompt, max_tokens=tokens, max_patches=patches, pad=pad, vision=reader.vision, prompt_id=row.name)


def peer(path: Path, cache: Path, order: Sequence[int], folder: str) -> Measured:
    """Read the same rows with `datasets`, and make transformers' inputs of them."""
    import datasets
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer

    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    begin = time.perf_counter()
    found = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(cache))
    table = found.cast_column("images", datasets.List(datasets.Image()))
    first = time.perf_counter() - begin
    pictures, tokenizer = AutoImageProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)

    def row(number: int) -> Any:
        values = table[number]
        before, _, after = values["problem"].partition("<image>")
        texts = [[{"type": "text", "text": text}] * bool(text) for text in (before, after)]
        content = [*texts[0], {"type": "image"}, *texts[1]]
        turns = [{"role": "user", "content": content}]
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        shown = pictures(images=[picture.convert("RGB") for picture in values["images"]], return_tensors="pt")
        (grid,) = shown["image_grid_thw"].tolist()
        tokens = grid[0] * grid[1] * grid[2] // VISION.spatial_merge_size**2
        return shown["pixel_values"], tokenizer(text.replace(IMAGE_PAD, IMAGE_PAD * tokens))["input_ids"]

    row(order[0])
    return Measured(len(order) / _core_seconds(row, order), first, ())


def _core_seconds(make: Callable[[int], Any], order: Sequence[int]) -> float:
    """Processor time that the rows take, of all threads together."""
    begin = time.process_time()
    for number in order:
        make(number)
    return time.process_time() - begin


def _resident_mb() -> float:
    """Memory of this process that is not swapped out; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if status.exists() else 0.0


def main() -> None:
    """Measure, and print a line for each size of picture."""
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", required=True, help="Hugging Face folder or hub id: tokenizer, template, bounds")
    parser.add_argument("--rows", type=int, default=100_000, help="of the table")
    parser.add_argument("--count", type=int, default=400, help="rows that are read and measured")
    parser.add_argument("--sides", type=int, nargs="+", default=[448, 1280], help="of the pictures, in px")
    parser.add_argument("--folder", default="", help="where the table is written; empty: a temporary folder")
    parser.add_argument("--peer", action="store_true", help="measure datasets and transformers too")
    arguments = parser.parse_args()
    tokenizer, pixels = load(arguments.tokenizer), processor(Path(arguments.tokenizer))
    tokenizer.encode("warm")
    for side in arguments.sides:
        with tempfile.TemporaryDirectory(dir=arguments.folder or None) as folder:
            path = Path(folder) / "train.parquet"
            write(path, arguments.rows, side)
            order = np.random.default_rng(0).permutation(arguments.rows)[: arguments.count].tolist()
            own = ours(path, Path(folder) / "cache", order, tokenizer, pixels)
            memory = " ".join(f"{value:.0f}" for value in own.memory_mb)
            print(f"{side} px, {arguments.rows} rows, {path.stat().st_size / 1e9:.1f} GB")
            print(
                f"  ours {own.rows_per_s:8.1f} rows/s of a core, first row {own.first_s:.2f} s, {memory} MB", flush=True
            )
            if arguments.peer:
                other = peer(path, Path(folder) / "peer", order, arguments.tokenizer)
                ratio = own.rows_per_s / other.rows_per_s
                opened = f"opened in {other.first_s:.2f} s"
                print(f"  peer {other.rows_per_s:8.1f} rows/s of a core, {opened}; ours {ratio:.2f} x", flush=True)


if __name__ == "__main__":
    main()
