"""A Hugging Face folder of Qwen2.5-VL as its small files describe it: model, processor, end tokens, chat template.

In: a folder, or a hub id that `folder_of` downloads. Out: our `ModelConfig`, `Processor` and plain values. Both
generations of files are read: flat and nested config.json, `rope_scaling` and `rope_parameters`, pixel bounds by name
and as `size`. What a file asks for and this project does not do is a `ValueError` that names file, field, rule and
value; so is a required field that is absent, because the classes' defaults are not those of the published models
(`rms_norm_eps` is 1e-6 in every published file and 1e-5 in the class). Of `vision_config` alone, files may leave out
what is the class's: transformers 4.49 writes them so. The weights are another module's business.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from perc_jax.batch import MEAN, STD
from perc_jax.config import ModelConfig, TextConfig, VisionConfig, check
from perc_jax.records import reading

MODEL_TYPE = "qwen2_5_vl"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_SMALL_FILES = ("*.json", "*.jinja", "*.txt", "LICENSE*")  # an export copies the licence too
_BICUBIC = 3  # PIL's number of the filter
# What transformers' class of the vision tower says, 4.49 to 5.x alike.
_VISION_CLASS: dict[str, Any] = {
    "depth": 32,
    "hidden_size": 3584,
    "intermediate_size": 3420,
    "num_heads": 16,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
    "out_hidden_size": 3584,
    "fullatt_block_indexes": [7, 15, 23, 31],
}
# config.json's name for the id of each chat mark that the model looks for
_MARK_FIELDS = {
    "image_token_id": "<|image_pad|>",
    "video_token_id": "<|video_pad|>",
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}


class Processor(NamedTuple):
    """What a folder's picture processor leaves open; everything else was checked to be what `image` does."""

    min_pixels: int  # area below which a picture is enlarged
    max_pixels: int  # area above which it is reduced


def is_pretrained(name: str) -> bool:
    """Whether a name means a Hugging Face model: a folder whose config.json says so, or a hub id; nothing is loaded.

    A folder that exists always goes before a hub id of the same name. Raises `ValueError` for an adapter's folder.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        file = folder / "config.json"
        if not file.is_file():
            refuse_adapter(folder)
        return file.is_file() and "model_type" in read_object(file)
    return _HUB_ID.fullmatch(name) is not None


def folder_of(name: str, *, weights: bool = True, field: str = "model") -> Path:
    """A folder as given, or that of a hub id (owner/name) downloaded, with progress, into the hub's cache.

    Without `weights` only the small files are fetched; `field` is what errors call the name. The hub's own offline
    variables are respected.
    Raises `FileNotFoundError` for a folder without config.json and for a name that is neither or cannot be fetched,
    `ValueError` for an adapter's.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            refuse_adapter(folder)
            raise FileNotFoundError(f"{field} folder {name} must hold a config.json, found none")
        return folder
    if not _HUB_ID.fullmatch(name):
        raise FileNotFoundError(f"{field} must be a folder that exists or a hub id (owner/name), got {name!r}")
    import huggingface_hub  # not needed, and slow to import, where the model is a folder
    from huggingface_hub import errors

    patterns = [*_SMALL_FILES, *(("*.safetensors",) if weights else ())]
    try:
        found = Path(huggingface_hub.snapshot_download(name, allow_patterns=patterns))
    except (OSError, ValueError, RuntimeError, errors.HTTPError) as error:  # RuntimeError: of the hub's Xet storage
        reason = str(error).strip().partition("\n")[0]
        raise FileNotFoundError(
            f"{field} {name!r} must be a folder that exists or a hub id that can be downloaded; "
            f"there is no such folder, and the hub says: {type(error).__name__}: {reason}"
        ) from error
    if not (found / "config.json").is_file():
        refuse_adapter(found)
        raise FileNotFoundError(f"{field} {name} on the hub must hold a config.json, found none")
    return found


def refuse_adapter(folder: Path) -> None:
    """Raise `ValueError` where a folder without a model's config or weights holds a PEFT adapter, naming its base."""
    file = Path(folder) / "adapter_config.json"
    if file.is_file():
        base = read_object(file).get("base_model_name_or_path")
        raise ValueError(
            f"model folder {folder} must hold a whole model, got the PEFT adapter of {file.name}: "
            f"merge it into its base{f', {base},' if base else ''} first"
        )


def model_config(folder: Path, *, dtype: Literal["float32", "bfloat16"] = "bfloat16") -> ModelConfig:
    """The model that a folder's config.json describes; what the file cannot say stays at our defaults.

    Raises `ValueError` for a model that is not a plain Qwen2.5-VL.
    """
    file = Path(folder) / "config.json"
    whole = _Section(file, read_object(file))
    whole.only("model_type", MODEL_TYPE, required=True)
    whole.only("quantization_config", None)
    nested = whole.values.get("text_config") is not None
    text = whole.section("text_config") if nested else whole
    ties = [section.values.get("tie_word_embeddings") for section in (whole, text)]
    if ties == [None, None]:
        whole.value("tie_word_embeddings", bool)  # raises: the default differs between generations of the class
    try:
        language = _text(text, tie=any(ties))
        model = ModelConfig(_vision(whole.section("vision_config"), language.hidden_size), language, dtype=dtype)
        check(model)
    except ValueError as error:
        if str(error).startswith(str(file)):
            raise
        raise ValueError(f"{file}: {error}") from error  # a rule of our own config
    return model


def _text(text: "_Section", tie: bool) -> TextConfig:
    """The language model's part of config.json."""
    text.only("hidden_act", "silu")
    text.only("use_sliding_window", False, None)
    kinds = text.values.get("layer_types") or []
    text.expect("layer_types", isinstance(kinds, list), "must be a list", kinds)
    for kind in kinds:
        text.expect("layer_types", kind == "full_attention", "must all be 'full_attention'", kind)
    hidden, heads = text.value("hidden_size", int), text.value("num_attention_heads", int)
    text.expect("hidden_size", hidden % heads == 0, "must be a multiple of num_attention_heads", hidden)
    text.only("head_dim", hidden // heads, None)
    name = next((n for n in ("rope_scaling", "rope_parameters") if text.values.get(n)), "rope_scaling")
    rope = text.section(name)
    for kind in ("rope_type", "type"):
        rope.only(kind, "default", "mrope")
    rope.only("partial_rotary_factor", 1, None)
    for extra in sorted(
        rope.values.keys() - {"rope_type", "type", "mrope_section", "rope_theta", "partial_rotary_factor"}
    ):
        rope.expect(extra, False, "must be absent", rope.values[extra])
    theta = (rope if "rope_theta" in rope.values else text).value("rope_theta", float)
    return TextConfig(
        hidden_size=hidden,
        intermediate_size=text.value("intermediate_size", int),
        num_hidden_layers=text.value("num_hidden_layers", int),
        num_attention_heads=heads,
        num_key_value_heads=text.value("num_key_value_heads", int),
        head_dim=hidden // heads,
        vocab_size=text.value("vocab_size", int),
        mrope_section=rope.value("mrope_section", tuple, length=3),
        rope_theta=theta,
        rms_norm_eps=text.value("rms_norm_eps", float),
        tie_word_embeddings=tie,
    )


def _vision(vision: "_Section", hidden_size: int) -> VisionConfig:
    """The vision tower's part of config.json; `hidden_size` is the language model's."""
    vision = _Section(vision.file, _VISION_CLASS | vision.values, vision.path)
    vision.only("model_type", f"{MODEL_TYPE}_vision", MODEL_TYPE, None)
    vision.only("hidden_act", "silu")
    for channels in ("in_chans", "in_channels"):
        vision.only(channels, 3)
    vision.only("out_hidden_size", hidden_size, required=True)
    patch_size = vision.value("patch_size", int)
    vision.only("spatial_patch_size", patch_size)
    if vision.values.get("rope_parameters"):
        rope = vision.section("rope_parameters")
        rope.only("rope_type", "axial", "default")
        rope.only("rope_theta", 10_000)
    depth, full = vision.value("depth", int), vision.value("fullatt_block_indexes", tuple)
    inside = all(0 <= block < depth for block in full)
    vision.expect("fullatt_block_indexes", inside, f"must be blocks 0..{depth - 1}", full)
    return VisionConfig(
        depth=depth,
        hidden_size=vision.value("hidden_size", int),
        num_heads=vision.value("num_heads", int),
        intermediate_size=vision.value("intermediate_size", int),
        fullatt_block_indexes=full,
        window_size=vision.value("window_size", int),
        patch_size=patch_size,
        temporal_patch_size=vision.value("temporal_patch_size", int),
        spatial_merge_size=vision.value("spatial_merge_size", int),
    )


def processor(folder: Path) -> Processor:
    """The pixel bounds of a folder's picture processor.

    Raises `FileNotFoundError` if the folder has none, `ValueError` if it does something that `image` does not.
    """
    values = _processor_values(Path(folder))
    vision = model_config(folder).vision
    values.only("patch_size", vision.patch_size, required=True)
    values.only("merge_size", vision.spatial_merge_size, required=True)
    values.only("temporal_patch_size", vision.temporal_patch_size, required=True)
    for step in ("do_convert_rgb", "do_resize", "do_rescale", "do_normalize"):
        values.only(step, True, None)
    values.only("resample", _BICUBIC, None)
    factor = values.values.get("rescale_factor", 1 / 255)
    is_ours = type(factor) is float and math.isclose(factor, 1 / 255, rel_tol=1e-12)
    values.expect("rescale_factor", is_ours, "must be 1 / 255", factor)
    for name, ours in (("image_mean", MEAN), ("image_std", STD)):
        theirs = values.values.get(name)
        values.expect(name, isinstance(theirs, list) and tuple(theirs) == ours, f"must be {list(ours)}", theirs)
    bounds = []
    for name, edge in (("min_pixels", "shortest_edge"), ("max_pixels", "longest_edge")):
        place = values if values.values.get(name) is not None else values.section("size")
        bounds.append(place.value(name if name in place.values else edge, int))
    values.expect("max_pixels", bounds[0] <= bounds[1], f"must be >= min_pixels = {bounds[0]}", bounds[1])
    return Processor(*bounds)


def _processor_values(folder: Path) -> "_Section":
    """The picture processor's settings: a part of the whole processor's, as transformers 5 saves it, or its own file.

    Where there are both, the part counts, as it does there: what is beside it is of an older model.
    """
    file, whole = folder / "preprocessor_config.json", folder / "processor_config.json"
    if whole.is_file():
        values = _Section(whole, read_object(whole))
        if values.values.get("image_processor") is not None:
            return values.section("image_processor")
    if file.is_file():
        return _Section(file, read_object(file))
    raise FileNotFoundError(f"model folder {folder} must hold a {file.name}, found none")


def old_processor_file(folder: Path) -> dict[str, Any] | None:
    """What preprocessor_config.json must say where it is beside a processor_config.json that says otherwise.

    Programs of before transformers 5 read that file only. None where the folder has not both, or they agree.
    """
    file = Path(folder) / "preprocessor_config.json"
    values = _processor_values(Path(folder)) if file.is_file() else None
    if values is None or values.file == file:
        return None
    old = read_object(file)
    kept = {name: value for name, value in old.items() if name != "size"}
    wanted = kept | values.values | processor(folder)._asdict()
    return None if wanted == old else wanted


def end_ids(folder: Path) -> tuple[int, ...]:
    """The tokens that end a completion: generation_config.json's, or config.json's where there is no such file.

    Raises `ValueError` if neither names one.
    """
    folder = Path(folder)
    generation, whole = folder / "generation_config.json", folder / "config.json"
    section = _Section(generation, read_object(generation)) if generation.is_file() else None
    if section is None:
        section = _Section(whole, read_object(whole))
        if section.values.get("eos_token_id") is None and section.values.get("text_config") is not None:
            section = section.section("text_config")
    found = section.values.get("eos_token_id")
    ids = tuple(found) if isinstance(found, list) else (found,)
    ok = bool(ids) and all(type(number) is int and number >= 0 for number in ids)
    section.expect("eos_token_id", ok, "must be one or several token ids", found)
    return ids


def check_marks(folder: Path, marks: Mapping[str, int]) -> None:
    """Compare a tokenizer's chat marks with the ids that config.json gives them.

    Raises `ValueError` for the first that differs: pictures would be put at the wrong tokens.
    """
    file = Path(folder) / "config.json"
    values = _Section(file, read_object(file))
    for field, mark in _MARK_FIELDS.items():
        values.only(field, marks[mark], None)


def check_tokenizer_files(folder: Path) -> Path:
    """Look whether a folder holds a tokenizer's files, so that what is wrong is said of the file; give the main one.

    Raises `FileNotFoundError` without them, `ValueError` for files that are not what their names say.
    """
    folder = Path(folder)
    whole, parts, settings = folder / "tokenizer.json", ("vocab.json", "merges.txt"), folder / "tokenizer_config.json"
    if not settings.is_file():
        raise FileNotFoundError(f"model folder {folder} must hold a {settings.name}")
    read_object(settings)
    if whole.is_file():
        values = _Section(whole, read_object(whole))
        added, vocabulary = values.values.get("added_tokens"), values.section("model").values.get("vocab")
        values.expect("added_tokens", isinstance(added, list), "must be a list", added)
        values.expect("model.vocab", isinstance(vocabulary, dict | list), "must hold the tokens", vocabulary)
        return whole
    if not all((folder / part).is_file() for part in parts):
        raise FileNotFoundError(f"model folder {folder} must hold a tokenizer.json, or {' and '.join(parts)}")
    return folder / parts[0]


def chat_template(folder: Path) -> str | None:
    """The folder's chat template (Jinja), from the newest of the three places it may be in; None if it has none."""
    file = chat_template_file(folder)
    return None if file is None else _template(file)


def chat_template_file(folder: Path) -> Path | None:
    """The file that `chat_template` is from."""
    files = [Path(folder) / name for name in ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")]
    return next((file for file in files if file.is_file() and _template(file) is not None), None)


def _template(file: Path) -> str | None:
    """The chat template of a file, or of a JSON file's field."""
    if file.suffix == ".jinja":
        return reading.text(file)
    found = read_object(file).get("chat_template")
    if isinstance(found, list):  # several templates by name
        named = [entry for entry in found if isinstance(entry, dict) and entry.get("name") == "default"]
        found = named[-1].get("template") if named else None
    _Section(file, {}).expect("chat_template", isinstance(found, str | None), "must be text", found)
    return found


def read_object(file: Path) -> dict[str, Any]:
    """The content of a JSON file that must hold an object; raises `ValueError` otherwise."""
    text = reading.text(file)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:  # bad JSON, brackets without an end
        raise ValueError(f"{file} must be JSON: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{file} must hold a JSON object, got {type(values).__name__}")
    return values


class _Section:
    """A JSON object and where it stands, so that a complaint names file and field."""

    def __init__(self, file: Path, values: dict[str, Any], path: str = ""):
        self.file, self.values, self.path = file, values, path

    def expect(self, name: str, condition: bool, rule: str, value: object) -> None:
        """Raise `ValueError` unless the condition holds."""
        if not condition:
            raise ValueError(f"{self.file}: {self.path}{name} {rule}, got {value!r}")

    def section(self, name: str) -> "_Section":
        """A field that is an object."""
        found = self.values.get(name)
        self.expect(name, isinstance(found, dict), "must be an object", found)
        return _Section(self.file, found, f"{self.path}{name}.")

    def only(self, name: str, *allowed: object, required: bool = False) -> None:
        """Check a field of which we do some values only; one that is absent is as the first of them."""
        if name in self.values or required:
            found = self.values.get(name)
            rule = f"must be {' or '.join(map(repr, allowed))}"
            same = any(found == one and isinstance(found, bool) == isinstance(one, bool) for one in allowed)
            self.expect(name, same, rule, found)

    def value(self, name: str, kind: type, length: int | None = None) -> Any:
        """A field that must be there: a positive int, a positive float, a bool or a tuple of ints >= 0."""
        self.expect(name, name in self.values, "must be given", None)
        found = self.values[name]
        rules: dict[type, tuple[str, bool]] = {
            bool: ("must be true or false", type(found) is bool),
            int: ("must be a whole number > 0", type(found) is int and found > 0),
            float: ("must be a number > 0", type(found) in (int, float) and found > 0),
            tuple: (f"must be a list of {length or ''} whole numbers >= 0".replace("  ", " "), _whole(found, length)),
        }
        rule, holds = rules[kind]
        self.expect(name, holds, rule, found)
        return found if kind is bool else kind(found)


def _whole(found: object, length: int | None) -> bool:
    """Whether a value is a list of whole numbers, of that length if one is given."""
    if not isinstance(found, Iterable) or isinstance(found, str | dict):
        return False
    items = list(found)
    return all(type(item) is int and item >= 0 for item in items) and len(items) == (length or len(items))
