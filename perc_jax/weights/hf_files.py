r"""The small files of a Hugging Face folder, for a model that was not born in one: plain data from our config.

config.json has the form of the published Qwen2.5-VL folders, with the language model's fields on the top level: that is
what every transformers that knows the model reads, 4.49 to 5.x. A SentencePiece tokenizer becomes a tokenizer.json of
the same pieces; both give the same ids for every text without U+2581, which SentencePiece writes for a space.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sentencepiece

from perc_jax.batch import MEAN, STD, TokenIds
from perc_jax.config import ModelConfig, VisionConfig
from perc_jax.prompt import image
from perc_jax.prompt.tokenizer import (
    CHAT_MARKS,
    END_OF_TEXT,
    IM_END,
    IMAGE_PAD,
    META_SPACE,
    SYSTEM,
    UNKNOWN,
    VIDEO_PAD,
    VISION_END,
    VISION_PAD,
    VISION_START,
    Tokenizer,
)

MAX_POSITIONS = 128_000  # of the published models; a limit that transformers notes and does not enforce
BOUNDS = ("min_pixels", "max_pixels")  # names of a processor's bounds on the area of a picture
TOKENS_PER_SECOND = 2  # of video, published; pictures do not use it

# The published chat form: a system line, marks for pictures, the turn of the assistant to be written.
CHAT_TEMPLATE = (
    r"{% if messages[0].role != 'system' %}<|im_start|>system\n" + SYSTEM + r"<|im_end|>\n{% endif %}"
    r"{% for message in messages %}<|im_start|>{{ message.role }}\n"
    r"{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    r"{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
    r"{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    r"{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
).replace(r"\n", "\n")


def config_file(config: ModelConfig, tokens: Tokenizer, dtype: str) -> dict[str, str]:
    """Text of config.json, by name; `dtype` is the weights'.

    Raises `ValueError` for a model that Hugging Face's class cannot express.
    """
    text, vision = config.text, config.vision
    marks = {mark: tokens.encode(mark)[0] for mark in CHAT_MARKS}
    if text.head_dim * text.num_attention_heads != text.hidden_size:
        implied = text.hidden_size / text.num_attention_heads
        raise ValueError(
            f"text.head_dim must be {implied:g} in a Hugging Face folder of this size, got {text.head_dim}"
        )
    values = {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "bos_token_id": marks[END_OF_TEXT],
        "eos_token_id": marks[IM_END],
        "vision_start_token_id": marks[VISION_START],
        "vision_end_token_id": marks[VISION_END],
        "vision_token_id": marks[VISION_PAD],
        "image_token_id": marks[IMAGE_PAD],
        "video_token_id": marks[VIDEO_PAD],
        "hidden_act": "silu",
        "hidden_size": text.hidden_size,
        "intermediate_size": text.intermediate_size,
        "max_position_embeddings": MAX_POSITIONS,
        "max_window_layers": text.num_hidden_layers,
        "num_attention_heads": text.num_attention_heads,
        "num_hidden_layers": text.num_hidden_layers,
        "num_key_value_heads": text.num_key_value_heads,
        "rms_norm_eps": text.rms_norm_eps,
        "rope_theta": text.rope_theta,
        "rope_scaling": {"type": "mrope", "mrope_section": list(text.mrope_section)},
        "use_sliding_window": False,
        "tie_word_embeddings": text.tie_word_embeddings,
        "torch_dtype": dtype,
        "vocab_size": text.vocab_size,
        "vision_config": {
            "depth": vision.depth,
            "hidden_act": "silu",
            "hidden_size": vision.hidden_size,
            "intermediate_size": vision.intermediate_size,
            "num_heads": vision.num_heads,
            "in_chans": 3,
            "out_hidden_size": text.hidden_size,
            "patch_size": vision.patch_size,
            "spatial_merge_size": vision.spatial_merge_size,
            "spatial_patch_size": vision.patch_size,
            "window_size": vision.window_size,
            "fullatt_block_indexes": list(vision.fullatt_block_indexes),
            "tokens_per_second": TOKENS_PER_SECOND,
            "temporal_patch_size": vision.temporal_patch_size,
        },
    }
    return {"config.json": _json(values)}


def processing_files(
    config: VisionConfig, ids: TokenIds, pixels: tuple[int, int] = (image.MIN_PIXELS, image.MAX_PIXELS)
) -> dict[str, str]:
    """Text of preprocessor_config.json and generation_config.json, by name; `pixels` bound the area of a picture."""
    processor = {
        "min_pixels": pixels[0],
        "max_pixels": pixels[1],
        "patch_size": config.patch_size,
        "temporal_patch_size": config.temporal_patch_size,
        "merge_size": config.spatial_merge_size,
        "image_mean": list(MEAN),
        "image_std": list(STD),
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
    }
    generation = {"bos_token_id": ids.pad, "eos_token_id": list(ids.ends), "pad_token_id": ids.pad, "do_sample": False}
    return {"preprocessor_config.json": _json(processor), "generation_config.json": _json(generation)}


def piece_files(path: Path, added: Sequence[str] = ()) -> dict[str, str]:
    """Text of tokenizer.json, tokenizer_config.json and chat_template.json for a SentencePiece BPE model, by name, with
    words `added` behind its pieces."""
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "processor_class": "Qwen2_5_VLProcessor",
        "eos_token": IM_END,
        "pad_token": END_OF_TEXT,
        "unk_token": UNKNOWN,
        "clean_up_tokenization_spaces": False,
        "model_max_length": MAX_POSITIONS,
        "chat_template": CHAT_TEMPLATE,
    }
    return {
        "tokenizer.json": _json(_tokenizer(sentencepiece.SentencePieceProcessor(model_file=str(path)), added)),
        "tokenizer_config.json": _json(settings),
        "chat_template.json": _json({"chat_template": CHAT_TEMPLATE}),
    }


def with_added(files: Mapping[str, bytes], added: Mapping[str, int]) -> dict[str, bytes]:
    """Those of a folder's tokenizer files that must change for words with these ids, as they must be.

    The words are text, not special tokens. `tokenizer.json` holds all that a tokenizer knows; the other two say it to
    programs that make a tokenizer of `vocab.json`.
    """
    found, entries = {}, [_added(word, number) for word, number in added.items()]
    if "tokenizer.json" in files:
        values = json.loads(files["tokenizer.json"])
        values["added_tokens"] = sorted([*values["added_tokens"], *entries], key=lambda entry: entry["id"])
        found["tokenizer.json"] = values
    settings = json.loads(files["tokenizer_config.json"])
    if "added_tokens_decoder" in settings or not found:
        own = {str(entry.pop("id")): entry for entry in (dict(entry) for entry in entries)}
        settings["added_tokens_decoder"] = (settings.get("added_tokens_decoder") or {}) | own
        found["tokenizer_config.json"] = settings
    if "added_tokens.json" in files:
        found["added_tokens.json"] = json.loads(files["added_tokens.json"]) | dict(added)
    return {name: _json(values).encode() for name, values in found.items()} if added else {}


def with_pixels(values: Mapping[str, Any], pixels: tuple[int, int]) -> dict[str, Any]:
    """A picture processor's settings with these bounds on the area, wherever they say theirs."""
    sizes = dict(zip(("shortest_edge", "longest_edge"), pixels, strict=True))
    found = dict(values) | {name: bound for name, bound in zip(BOUNDS, pixels, strict=True) if values.get(name)}
    if isinstance(values.get("size"), Mapping):
        own = values["size"]
        also = dict(zip(BOUNDS, pixels, strict=True))
        found["size"] = {name: (sizes | also).get(name, bound) for name, bound in own.items()}
    if isinstance(values.get("image_processor"), Mapping):
        found["image_processor"] = with_pixels(values["image_processor"], pixels)
    return found


def _added(word: str, number: int, **flags: bool) -> dict[str, Any]:
    """An added token as `tokenizer.json` has it."""
    usual = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": number, "content": word} | usual | flags


def _tokenizer(model: sentencepiece.SentencePieceProcessor, words: Sequence[str]) -> dict[str, Any]:
    """Write the pieces as Hugging Face's tokenizers read them.

    SentencePiece numbers unknown and user-defined symbols first, then bytes, then pieces in the order in which pairs
    merge. Symbols are cut out of the text before anything merges; so they are `added_tokens` there. Those that hold a
    space are found in the normalised text.
    """
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    first_byte = next(i for i in range(len(pieces)) if model.is_byte(i))
    learnt = [piece for i, piece in enumerate(pieces) if i > first_byte and not model.is_byte(i)]
    marks = (*CHAT_MARKS, UNKNOWN)
    added = [
        _added(piece, i, normalized=piece not in marks, special=piece in marks)
        for i, piece in enumerate(pieces[:first_byte])
    ]
    added += [_added(word, number) for number, word in enumerate(words, len(pieces))]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": META_SPACE},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": META_SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": UNKNOWN,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {piece: i for i, piece in enumerate(pieces)},
            "merges": _merges(learnt),
        },
    }


def _merges(pieces: list[str]) -> list[tuple[str, str]]:
    """Pairs of pieces that make a piece, the first to merge first: every way to make piece 1, then piece 2, …"""
    known = set(pieces)
    return [
        (piece[:cut], piece[cut:])
        for piece in pieces
        for cut in range(1, len(piece))
        if piece[:cut] in known and piece[cut:] in known
    ]


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
