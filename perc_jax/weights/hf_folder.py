"""A run's newest checkpoint as a Hugging Face folder.

    *.safetensors [+ index]    published names; the run's weights in one dtype, written tensor by tensor
    tokenizer, processor, chat template, generation config, licence
        copied from the Hugging Face model that `like` names, that the run started from or takes its tokenizer from;
        made for a run with a SentencePiece tokenizer; a picture's area is bounded as in the run
    config.json                that model's, where the run's model is the same; made otherwise

Words that a run adds to its vocabulary (`Config.codes`) are in the tokenizer's files, and their number in config.json.

A run with low-rank adapters is written as such a folder too, the adapters merged into the weights; or the adapters
alone, as PEFT writes and loads them:

    adapter_model.safetensors   float32
    adapter_config.json         names the Hugging Face model on which the adapters were trained, or `like`
    tokenizer, chat template    of a run that adds words

A local folder appears when it is complete (`whole.py`). In one that exists, and on gs://, where nothing can be renamed,
config.json (adapter_config.json) appears last. The float32 weights must fit the host's memory once.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from etils import epath
from safetensors.numpy import save

from perc_jax.config import Config, ModelConfig, from_dict, to_dict
from perc_jax.model import Params, abstract_params, lora
from perc_jax.processes.progress import Progress
from perc_jax.prompt import bounds, pretrained, tokenizer, vocabulary
from perc_jax.records import reading
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.records.files import absolute
from perc_jax.records.same import first_difference
from perc_jax.weights import growth, hf_files, safetensors, whole

ADAPTER = "adapter_model.safetensors"
ADAPTER_SETTINGS = "adapter_config.json"
PROCESSOR = "preprocessor_config.json"
PROCESSORS = (PROCESSOR, "processor_config.json")  # files that may hold the bounds on pictures
COPIED = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.json",
    "chat_template.jinja",
    PROCESSOR,
    "video_preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
    "LICENSE",
)
OF_TOKENIZER = COPIED[: COPIED.index(PROCESSOR)]  # and of its chats


def export(
    checkpoint: str, out: str, *, dtype: str = "bfloat16", like: str = "", adapter_only: bool = False
) -> list[str]:
    """Write the newest checkpoint of a workdir; returns what to tell the user, line by line.

    Raises:
        ValueError: `out` is not empty, there is no sound checkpoint, its weights are not finite, or `like` is another
            model; `adapter_only` of a run that has no adapters, or whose adapters lie on weights that nobody else has.
        FileNotFoundError: the Hugging Face files to copy are not there.
    """
    target = absolute(out)
    if not whole.is_free(target):
        raise ValueError(f"--out must be a folder that is empty or does not exist, got {out}")
    checkpoints = Checkpoints.named(checkpoint)
    stored = checkpoints.config()
    config = from_dict(Config, stored)
    small, told = _adapter_files(config, like) if adapter_only else _small_files(config, dtype, like)
    with contextlib.closing(checkpoints), Progress(config.phase_deadline_s) as screen:
        with screen.phase("reading the checkpoint"):
            state, position = checkpoints.restore({"params": _on_one_device(config.model)}, stored)
        last = ADAPTER_SETTINGS if adapter_only else "config.json"
        with screen.phase("writing"), whole.written(target, last) as folder:
            if adapter_only:
                files = _write_adapter(folder, config, state["params"])
            else:
                params = lora.merge_on_host(state.pop("params"), config.model.lora)
                files = safetensors.save_params(folder, config.model, params, dtype, bar=screen.bar)
            for name, content in sorted(small.items(), key=lambda file: file[0] == last):
                (folder / name).write_bytes(content)
    what, form = ("adapters", "float32") if adapter_only else ("weights", dtype)
    return [f"{out}: {what} of {position['stage']} step {position['step']} in {form}, {', '.join(files)}", *told]


def _adapter_files(config: Config, like: str) -> tuple[dict[str, bytes], list[str]]:
    """Content of adapter_config.json by name, and which base it names, in words."""
    if not config.model.lora.rank:
        raise ValueError("--adapter-only needs a run with adapters, this one's model.lora.rank is 0")
    base = like or _base(config)
    if not base:
        raise ValueError("--adapter-only needs a base that others have: this run's was random; --like can name one")
    folder = pretrained.folder_of(base, weights=False)
    check_same_model(folder, _before(config, folder), "the adapters' base: model")
    settings = lora.peft_settings(config.model) | {"base_model_name_or_path": base}
    files, told = {ADAPTER_SETTINGS: _json(settings)}, [f"{ADAPTER_SETTINGS} names {base} as the base"]
    if config.codes.tokens:
        words, from_where = _copied(config, folder)
        files |= {name: content for name, content in words.items() if name in OF_TOKENIZER}
        rows = config.model.text.vocab_size
        if rows != pretrained.model_config(folder).text.vocab_size:
            from_where += f"; the base needs resize_token_embeddings({rows}) before it is given the adapters"
        told.append(from_where)
    return files, told


def _base(config: Config) -> str:
    """The Hugging Face model beneath a run's adapters; empty for random weights. A run that began with another's
    adapters has its base. Raises `ValueError` for one that began with weights that were trained themselves, which
    nobody else has."""
    seen: set[str] = set()
    while (run := config.begin_from) and run not in seen:
        seen.add(run)
        try:
            with contextlib.closing(Checkpoints.named(run)) as checkpoints:
                config = from_dict(Config, checkpoints.config())
        except (OSError, ValueError):
            told = "whose base is not known, since its config cannot be read"
        else:
            if config.model.lora.rank:
                continue
            told = f"without adapters; export --model {run} gives a folder to be named"
        raise ValueError(f"--adapter-only needs --like, the adapters' base: this run began with {run}, {told}")
    return config.pretrained


def _write_adapter(folder: epath.Path, config: Config, params: Params) -> list[str]:
    """Write the adapters' tensors; returns the file's name."""
    (folder / ADAPTER).write_bytes(save(lora.peft_tensors(config.model, params), {"format": "pt"}))
    return [ADAPTER]


def _on_one_device(config: ModelConfig) -> Params:
    """Abstract parameters of training, whole on the first device."""
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), abstract_params(config)
    )


def _small_files(config: Config, dtype: str, like: str) -> tuple[dict[str, bytes], list[str]]:
    """Content of all files but the weights by name, config.json last, and where they are from, in words."""
    name = config.data.tokenizer
    source = like or config.pretrained or ("" if name.endswith(".model") else name)
    if not source:
        tokens, path = tokenizer.of(config), tokenizer.piece_file(name)
        files = hf_files.piece_files(path, config.codes.tokens) | hf_files.processing_files(
            config.model.vision, tokens.ids, bounds.of_others(config, None)
        )
        files |= hf_files.config_file(config.model, tokens, dtype)
        told = [f"tokenizer.json holds the pieces of {name}; it was made here, as all other files were"]
        return {file: text.encode() for file, text in files.items()}, told
    try:
        folder = pretrained.folder_of(source, weights=False)
    except FileNotFoundError as error:
        hint = "" if like else "; --like names another folder or hub id to copy the tokenizer's and other files from"
        raise FileNotFoundError(f"{error}{hint}") from error
    before = _before(config, folder)
    if like:
        check_same_model(folder, before, "--like: model")
    files, from_where = _copied(config, folder)
    told = [from_where]
    if settings := pretrained.old_processor_file(folder):
        files[PROCESSOR] = _json(settings)
        told.append(f"{PROCESSOR} was made: in {folder} it is not what processor_config.json says, which counts")
    told += _bound(files, config, folder)
    if difference := _difference(folder, before):
        made = hf_files.config_file(config.model, tokenizer.of(config), dtype)["config.json"]
        told.append(f"config.json was made: {folder} has another {difference[0]}")
    else:
        made = _with_dtype(folder / "config.json", dtype, config.model.text.vocab_size)
        told.append(f"config.json is that of {folder}")
    return files | {"config.json": made.encode()}, told


def _bound(files: dict[str, bytes], config: Config, folder: Path) -> Iterator[str]:
    """Put the run's bounds on pictures into a folder's files where they are others, and say so."""
    mine = [name for name in PROCESSORS if name in files]
    if not mine:
        return
    theirs = pretrained.processor(folder)
    own = bounds.of_others(config, theirs)
    if own != theirs:
        files |= {name: _json(hf_files.with_pixels(json.loads(files[name]), own)) for name in mine}
        yield f"{' and '.join(mine)} have the run's bounds on a picture's area, {own.min_pixels} and {own.max_pixels}"


def _copied(config: Config, folder: Path) -> tuple[dict[str, bytes], str]:
    """Content of the files that are copied from a folder, with the words that the run adds; and what to tell."""
    files = {file: reading.content(folder / file) for file in COPIED if (folder / file).is_file()}
    if not files.keys() & {"tokenizer.json", "vocab.json"}:
        raise FileNotFoundError(f"model folder {folder} must hold a tokenizer.json or vocab.json, found neither")
    told = f"{', '.join(files)} copied from {folder}"
    if config.codes.tokens:
        known, tokens = vocabulary.words(folder), tokenizer.of(config)
        more = {word: tokens.encode(word)[0] for word in config.codes.tokens if word not in known}
        if changed := hf_files.with_added(files, more):
            files |= changed
            told += f", with {len(more)} tokens more in {', '.join(changed)}"
    return files, told


def _before(config: Config, folder: Path) -> ModelConfig:
    """The run's model as it was before its vocabulary grew beyond a folder's."""
    if not config.codes.tokens:
        return config.model
    return growth.of_folder(config, tokenizer.of(config), folder).before(config.model)


def check_same_model(folder: Path, model: ModelConfig, whose: str) -> None:
    """Raise `ValueError` if a folder's config.json describes another model; `whose` goes before the field's name."""
    if difference := _difference(folder, model):
        field, theirs, ours = difference
        raise ValueError(f"{whose}.{field} must be {theirs!r} as in {folder / 'config.json'}, got {ours!r}")


def _difference(folder: Path, model: ModelConfig) -> tuple[str, Any, Any] | None:
    """The first field of what config.json can say that differs: its path, the folder's and the model's value."""
    theirs = pretrained.model_config(folder)
    return first_difference(*({"vision": to_dict(one.vision), "text": to_dict(one.text)} for one in (theirs, model)))


def _with_dtype(file: Path, dtype: str, words: int = 0) -> str:
    """Text of a config.json, its dtype replaced wherever it says one, and the size of its vocabulary if `words`."""
    values = json.loads(reading.text(file))
    sections: list[dict[str, Any]] = [values, values.get("text_config") or {}, values.get("vision_config") or {}]
    for section in sections:
        section |= {field: dtype for field in ("torch_dtype", "dtype") if field in section}
        section |= {"vocab_size": words} if words and "vocab_size" in section else {}
    if not values.keys() & {"torch_dtype", "dtype"}:
        values["torch_dtype"] = dtype
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()
