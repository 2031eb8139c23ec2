"""Rows of embedding and head for words that the weights do not know yet: each the mean of those that there are.

Words that a run adds may fall into the padding of a published vocabulary (its tokenizer has fewer words than the model
has rows), where rows are but not theirs, and beyond it, where there are none. The mean is taken in float32, of all
rows that were read, padding among them; so a new word begins as an average one, and the others stay in every byte.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from perc_jax.batch import Array
from perc_jax.config import CodesConfig, Config, ModelConfig, from_dict
from perc_jax.model import Params, params
from perc_jax.prompt import pretrained, tokenizer, vocabulary

TABLES = {params.EMBEDDING: "text/embed/embedding", params.HEAD: "text/head/kernel"}  # tensors, and our names of them
BLOCK_ROWS = 1024  # read at a time for the mean


class Growth(NamedTuple):
    """By what a model's vocabulary grows when its weights are read."""

    rows: int  # that embedding and head have where they are read
    fresh: tuple[int, ...]  # ids of words, ascending, whose rows are made; as all are from `rows` on

    def before(self, model: ModelConfig) -> ModelConfig:
        """The model that has the weights which are read."""
        text = dataclasses.replace(model.text, vocab_size=min(self.rows, model.text.vocab_size))
        return dataclasses.replace(model, text=text)


def of_folder(config: Config, tokens: tokenizer.Tokenizer, folder: Path) -> Growth | None:
    """What a Hugging Face folder's weights lack of the words that a run adds; None if the run adds none.

    Raises `ValueError` where the folder's own tokenizer has such a word under another id, or another word there.
    """
    if not config.codes.tokens:
        return None
    known, fresh = vocabulary.words(folder), []
    taken = {number: word for word, number in known.items()}
    for word in config.codes.tokens:
        [number] = tokens.encode(word)
        if known.get(word, number) != number or taken.get(number, word) != word:
            there = known.get(word, taken.get(number))
            raise ValueError(
                f"model folder {folder} must have {word} as token {number}, where data.tokenizer has it, got {there!r}"
            )
        if word not in known:
            fresh.append(number)
    return Growth(pretrained.model_config(folder).text.vocab_size, tuple(fresh))


def of_run(config: Config, stored: dict) -> Growth | None:
    """What another run's weights lack of the words that this run adds; None if it adds none to those of that run.

    `stored`: that run's config as it was saved, whose words must be the first of this run's (`records.same`).
    """
    before = len(from_dict(CodesConfig, stored.get("codes") or {}).tokens)
    later = config.codes.tokens[before:]
    if not later:
        return None
    tokens, own = tokenizer.of(config), tokenizer.load(config.data.tokenizer).vocab_size
    numbers = [tokens.encode(word)[0] for word in later]
    return Growth(stored["model"]["text"]["vocab_size"], tuple(number for number in numbers if number >= own))


def enlarged(read: params.Read, growth: Growth) -> params.Read:
    """What reads embedding and head of a folder as if they had the rows that they lack; beside the rows asked for, it
    holds one row."""
    fresh, means = np.array(growth.fresh, int), {}

    def mean(name: str, columns: slice) -> Float[np.ndarray, " c"]:
        key = name, columns.start, columns.stop
        if key not in means:
            starts = range(0, growth.rows, BLOCK_ROWS)
            blocks = (read(name, slice(x, min(x + BLOCK_ROWS, growth.rows)), columns) for x in starts)
            total = sum(block.astype(np.float64).sum(axis=0) for block in blocks)
            means[key] = (total / growth.rows).astype(np.float32)
        return means[key]

    def whole(name: str, rows: slice, columns: slice) -> np.ndarray:
        made = fresh[(fresh >= rows.start) & (fresh < rows.stop)]
        if name not in TABLES or (not made.size and rows.stop <= growth.rows):
            return read(name, rows, columns)
        out = np.tile(mean(name, columns), (rows.stop - rows.start, 1))
        if rows.start < growth.rows:
            piece = read(name, slice(rows.start, min(rows.stop, growth.rows)), columns)
            out = out.astype(np.promote_types(out.dtype, piece.dtype))
            out[: len(piece)] = piece
        out[made - rows.start] = mean(name, columns)
        return out

    return whole


def smaller(target: Params, growth: Growth, layout: Callable[[str, tuple[int, ...]], jax.sharding.Sharding]) -> Params:
    """Abstract parameters as they are before they grow; `layout` gives the place of one of a name and shape."""
    found = jax.tree.map(lambda leaf: leaf, target)
    for path in _tables(target):
        leaf = params.get(target, path)
        shape = tuple(growth.rows if axis == _row_axis(path) else size for axis, size in enumerate(leaf.shape))
        params.put(found, path, jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=layout(path, shape)))
    return found


def grown(values: Params, target: Params, growth: Growth) -> Params:
    """Parameters on the mesh with the rows that they lack, laid out as `target`; all else is passed on."""
    found = jax.tree.map(lambda leaf: leaf, values)
    for path in _tables(values):
        wanted = params.get(target, path)
        made = _grow(wanted.shape, _row_axis(path), growth.fresh)
        params.put(found, path, jax.jit(made, out_shardings=wanted.sharding)(params.get(values, path)))
    return found


def _grow(shape: tuple[int, ...], axis: int, fresh: Sequence[int]) -> Callable[[Array], Array]:
    def grow(table: Float[Array, "a b"]) -> Float[Array, "c d"]:
        mean = jnp.mean(table.astype(jnp.float32), axis=axis, keepdims=True).astype(table.dtype)
        more = list(table.shape)
        more[axis] = shape[axis] - more[axis]
        whole = jnp.concatenate([table, jnp.broadcast_to(mean, more)], axis=axis)
        rows = jnp.expand_dims(jnp.arange(shape[axis]), 1 - axis)
        return jnp.where(jnp.isin(rows, np.array(fresh, np.int32)), mean, whole)

    return grow


def _tables(values: Params) -> list[str]:
    """Those of the tables that a model has: one, where its head is its embedding."""
    return [path for path in TABLES.values() if path.split("/")[1] in values["text"]]


def _row_axis(path: str) -> int:
    """The axis of a table along which words lie: the head is [inputs, words] here."""
    return 1 if path.endswith("kernel") else 0
