"""How many words a run's model must know: its tokenizer's and those that `codes` adds. Of files alone, no device."""

import dataclasses
from pathlib import Path

from perc_jax.config import Config
from perc_jax.prompt import pretrained, tokenizer
from perc_jax.prompt.pretrained import read_object

MULTIPLE = 128  # to which an enlarged vocabulary is padded: whole tiles of a TPU, and every mesh divides it
PUBLISHED, PUBLISHED_NAMES = 151_665, "Qwen/Qwen2.5-VL-"  # words of the tokenizer of all published sizes


def settled(config: Config, *, fetch: bool) -> Config:
    """The config with a vocabulary that holds what `codes` adds.

    A run that begins with given weights gets the next multiple of 128 where `model.text.vocab_size` is too small; one
    that begins at random must say what it needs. Of a hub id that is none of the published, the tokenizer is only
    looked at with `fetch`, which may download it; without, the config is taken at its word.
    Raises `FileNotFoundError` or `ValueError` for a tokenizer that cannot be read.
    """
    if not config.codes.tokens or not (config.pretrained or config.begin_from):
        return config
    text, needed = config.model.text, words_needed(config, fetch=fetch)
    if needed <= text.vocab_size:
        return config
    text = dataclasses.replace(text, vocab_size=-(-needed // MULTIPLE) * MULTIPLE)
    return dataclasses.replace(config, model=dataclasses.replace(config.model, text=text))


def words_needed(config: Config, *, fetch: bool) -> int:
    """Words of a run's tokenizer with those of its `codes`; 0 where nobody here knows. See `settled`."""
    name, added = config.data.tokenizer, config.codes.tokens
    if name.endswith(".model"):
        return tokenizer.load(name, added).vocab_size
    if not Path(name).expanduser().is_dir():
        if name.startswith(PUBLISHED_NAMES):
            return PUBLISHED + len(added)
        if not fetch:
            return 0
    known = words(pretrained.folder_of(name, weights=False, field="data.tokenizer"))
    return max(known.values()) + 1 + sum(word not in known for word in added)


def words(folder: Path) -> dict[str, int]:
    """Every word of a folder's tokenizer and its id, as its files say it.

    Raises `FileNotFoundError` without such files, `ValueError` for files that are not what their names say.
    """
    main = pretrained.check_tokenizer_files(folder)
    whole = read_object(main)
    if main.name == "tokenizer.json":
        vocabulary = whole["model"]["vocab"]
        pieces = vocabulary if isinstance(vocabulary, dict) else {piece: i for i, (piece, *_) in enumerate(vocabulary)}
        found = pieces | {entry["content"]: entry["id"] for entry in whole["added_tokens"]}
    else:
        found = dict(whole)
    older = folder / "added_tokens.json"
    found |= read_object(older) if older.is_file() else {}
    later = read_object(folder / "tokenizer_config.json").get("added_tokens_decoder") or {}
    return found | {entry["content"]: int(number) for number, entry in later.items()}
