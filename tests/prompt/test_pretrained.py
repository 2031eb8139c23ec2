"""Hugging Face folders: both generations of files say the same, what is not done is refused by field and value."""

import copy
import dataclasses
import fnmatch
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perc_jax.config import ModelConfig, TextConfig, VisionConfig
from perc_jax.prompt import pretrained
from perc_jax.weights import hf_folder
from tests.weights.published_folders import SMALL, edit, write_small_files

VISION = {
    "depth": 3,
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 80,
    "num_heads": 2,
    "out_hidden_size": 64,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "window_size": 56,
    "fullatt_block_indexes": [1],
    "tokens_per_second": 2,
    "temporal_patch_size": 2,
}
TEXT = {
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "sliding_window": 32768,
    "use_sliding_window": False,
    "vocab_size": 1040,
    "attention_dropout": 0.0,
}
FLAT = {
    "model_type": "qwen2_5_vl",
    **TEXT,
    "rope_theta": 1000000.0,
    "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
    "tie_word_embeddings": True,
    "vision_config": VISION | {"in_chans": 3, "spatial_patch_size": 14},
}
NESTED = {
    "model_type": "qwen2_5_vl",
    "text_config": {
        **TEXT,
        "model_type": "qwen2_5_vl_text",
        "sliding_window": None,
        "layer_types": ["full_attention"] * 3,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0, "mrope_section": [2, 3, 3]},
    },
    "tie_word_embeddings": True,
    "vision_config": VISION
    | {
        "in_channels": 3,
        "model_type": "qwen2_5_vl_vision",
        "rope_parameters": {"rope_type": "axial", "rope_theta": 10000.0},
    },
}


def folder_with(tmp_path: Path, values: object) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(values))
    return tmp_path


def changed(values: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy in which the field at a dotted path is another, or gone (`...`)."""
    whole = here = copy.deepcopy(values)
    *sections, name = path.split(".")
    for section in sections:
        here = here[section]
    if value is ...:
        del here[name]
    else:
        here[name] = value
    return whole


@pytest.mark.parametrize("values", [FLAT, NESTED], ids=["flat", "nested"])
def test_both_generations_say_the_same(tmp_path, values):
    assert pretrained.model_config(folder_with(tmp_path, values), dtype="float32") == SMALL


def test_other_places_of_the_same_fields(tmp_path):
    for values in (
        changed(FLAT, "rope_scaling", {"type": "default", "rope_type": "default", "mrope_section": [2, 3, 3]}),
        changed(NESTED, "text_config", {**NESTED["text_config"], "tie_word_embeddings": True})
        | {"tie_word_embeddings": False},  # 4.x kept the tie in the language model's section
        {**NESTED, **FLAT},  # 4.5x wrote everything twice
        changed(FLAT, "hidden_act", ...),
    ):
        assert pretrained.model_config(folder_with(tmp_path, values), dtype="float32") == SMALL


@pytest.mark.parametrize("tie", [True, False])
def test_what_transformers_writes_is_read(tmp_path, tie):
    transformers = pytest.importorskip("transformers")
    text = NESTED["text_config"] | {"rope_parameters": dict(NESTED["text_config"]["rope_parameters"])}
    transformers.Qwen2_5_VLConfig(
        text_config=text, vision_config=dict(NESTED["vision_config"]), tie_word_embeddings=tie
    ).save_pretrained(tmp_path)
    found = pretrained.model_config(tmp_path, dtype="float32")
    assert found.vision == SMALL.vision and found.text.tie_word_embeddings is tie
    assert found.text.rms_norm_eps == 1e-6 and found.text.mrope_section == (2, 3, 3)


# What transformers 4.49.0 wrote of the two smaller published models: of the vision tower what differs from its class.
SAVED_3B = {
    "model_type": "qwen2_5_vl",
    "hidden_act": "silu",
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "num_attention_heads": 16,
    "num_hidden_layers": 36,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default", "type": "default"},
    "rope_theta": 1e6,
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "vision_config": {
        "hidden_size": 1280,
        "in_chans": 3,
        "model_type": "qwen2_5_vl",
        "out_hidden_size": 2048,
        "spatial_patch_size": 14,
        "tokens_per_second": 2,
    },
    "vocab_size": 151936,
}
PUBLISHED_VISION = VisionConfig(
    depth=32, hidden_size=1280, num_heads=16, intermediate_size=3420, fullatt_block_indexes=(7, 15, 23, 31)
)


def test_what_4_49_leaves_out_is_the_class_s(tmp_path):
    found = pretrained.model_config(folder_with(tmp_path, SAVED_3B))
    assert found.vision == PUBLISHED_VISION and found.text.hidden_size == 2048
    seven = changed(changed(SAVED_3B, "vision_config.out_hidden_size", ...), "hidden_size", 3584)
    seven = changed(changed(seven, "num_attention_heads", 28), "num_key_value_heads", 4)
    assert pretrained.model_config(folder_with(tmp_path, seven)).vision == PUBLISHED_VISION
    with pytest.raises(ValueError, match=r"vision_config.out_hidden_size must be 2048, got 3584"):
        pretrained.model_config(folder_with(tmp_path, changed(SAVED_3B, "vision_config.out_hidden_size", ...)))
    with pytest.raises(ValueError, match=r"vision_config.depth must be a whole number > 0, got None"):
        pretrained.model_config(folder_with(tmp_path, changed(SAVED_3B, "vision_config.depth", None)))


def test_what_transformers_makes_of_absent_vision_fields_is_what_we_do(tmp_path):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.Qwen2_5_VLConfig.from_pretrained(folder_with(tmp_path, SAVED_3B)).vision_config
    ours = dataclasses.asdict(pretrained.model_config(tmp_path).vision)
    assert plain({name: getattr(theirs, name) for name in ours}) == plain(ours)
    whole = transformers.models.qwen2_5_vl.configuration_qwen2_5_vl.Qwen2_5_VLVisionConfig().to_dict()
    assert plain({name: whole[name] for name in pretrained._VISION_CLASS}) == pretrained._VISION_CLASS


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON has them."""
    return json.loads(json.dumps(values))


def test_the_published_7b(reference_data):
    folder = reference_data / "qwen2_5_vl_7b"
    assert pretrained.model_config(folder) == ModelConfig(
        PUBLISHED_VISION,
        TextConfig(
            hidden_size=3584,
            intermediate_size=18944,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
            head_dim=128,
            vocab_size=152064,
            mrope_section=(16, 24, 24),
            rope_theta=1e6,
            rms_norm_eps=1e-6,
            tie_word_embeddings=False,
        ),
    )
    assert pretrained.processor(folder) == (3136, 12845056)
    assert pretrained.end_ids(folder) == (151645, 151643)


@pytest.mark.parametrize(
    ("values", "path", "value", "words"),
    [
        (FLAT, "model_type", "qwen2_vl", "model_type must be 'qwen2_5_vl', got 'qwen2_vl'"),
        (FLAT, "quantization_config", {"bits": 4}, "quantization_config must be None, got {'bits': 4}"),
        (FLAT, "rms_norm_eps", ..., "rms_norm_eps must be given, got None"),
        (FLAT, "num_key_value_heads", ..., "num_key_value_heads must be given"),
        (FLAT, "tie_word_embeddings", ..., "tie_word_embeddings must be given"),
        (FLAT, "hidden_act", "gelu", "hidden_act must be 'silu', got 'gelu'"),
        (FLAT, "use_sliding_window", True, "use_sliding_window must be False or None, got True"),
        (FLAT, "head_dim", 32, "head_dim must be 16 or None, got 32"),
        (FLAT, "hidden_size", 66, "hidden_size must be a multiple of num_attention_heads, got 66"),
        (FLAT, "num_attention_heads", "4", "num_attention_heads must be a whole number > 0, got '4'"),
        (FLAT, "rope_scaling.type", "yarn", "rope_scaling.type must be 'default' or 'mrope', got 'yarn'"),
        (FLAT, "rope_scaling.factor", 4.0, "rope_scaling.factor must be absent, got 4.0"),
        (FLAT, "rope_scaling", None, "rope_scaling must be an object, got None"),
        (FLAT, "rope_scaling.mrope_section", [4, 4], "must be a list of 3 whole numbers >= 0, got [4, 4]"),
        (FLAT, "rope_scaling.mrope_section", [2, 2, 2], "text.mrope_section must sum to head_dim / 2, got (2, 2, 2)"),
        (FLAT, "rope_theta", ..., "rope_theta must be given"),
        (FLAT, "vision_config", ..., "vision_config must be an object, got None"),
        (FLAT, "vision_config.out_hidden_size", 32, "vision_config.out_hidden_size must be 64, got 32"),
        (FLAT, "vision_config.hidden_act", "quick_gelu", "vision_config.hidden_act must be 'silu', got 'quick_gelu'"),
        (FLAT, "vision_config.in_chans", 4, "vision_config.in_chans must be 3, got 4"),
        (FLAT, "vision_config.depth", 1, "vision_config.fullatt_block_indexes must be blocks 0..0, got (1,)"),
        (FLAT, "vision_config.window_size", 60, "vision.window_size must be a multiple of 28, got 60"),
        (NESTED, "text_config.layer_types", ["sliding_attention"], "text_config.layer_types must all be"),
        (NESTED, "text_config.rope_parameters.rope_type", "dynamic", "text_config.rope_parameters.rope_type must be"),
        (NESTED, "text_config.rms_norm_eps", ..., "text_config.rms_norm_eps must be given"),
        (NESTED, "vision_config.rope_parameters.rope_theta", 5000.0, "vision_config.rope_parameters.rope_theta must"),
        ([], "", None, "must hold a JSON object, got list"),
    ],
)
def test_what_is_not_done_is_refused_by_field_and_value(tmp_path, values, path, value, words):
    folder = folder_with(tmp_path, changed(values, path, value) if path else values)
    with pytest.raises(ValueError) as error:
        pretrained.model_config(folder)
    assert words in str(error.value) and str(error.value).startswith(str(folder / "config.json"))


def test_both_forms_of_pixel_bounds(tmp_path):
    folder = write_small_files(tmp_path)
    file = folder / "preprocessor_config.json"
    edit(file, min_pixels=784, max_pixels=100_000)
    assert pretrained.processor(folder) == (784, 100_000)
    edit(file, min_pixels=None, max_pixels=None, size={"shortest_edge": 3136, "longest_edge": 50_000})
    assert pretrained.processor(folder) == (3136, 50_000)
    edit(file, size={"shortest_edge": 3136, "longest_edge": 50_000}, max_pixels=70_000)  # a name goes before the size
    assert pretrained.processor(folder) == (3136, 70_000)
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": json.loads(file.read_text())}))
    file.unlink()
    assert pretrained.processor(folder) == (3136, 70_000)
    (folder / "processor_config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold a preprocessor_config.json, found none"):
        pretrained.processor(folder)


def test_the_whole_processor_s_file_counts_as_it_does_for_transformers(tmp_path):
    folder = write_small_files(tmp_path)
    file, whole = folder / "preprocessor_config.json", folder / "processor_config.json"
    part = json.loads(file.read_text()) | {"size": {"shortest_edge": 784, "longest_edge": 90_000}}
    part = {name: value for name, value in part.items() if name not in ("min_pixels", "max_pixels")}
    assert pretrained.old_processor_file(folder) is None
    whole.write_text(json.dumps({"processor_class": "Qwen2_5_VLProcessor", "image_processor": part}))
    assert pretrained.processor(folder) == (784, 90_000)
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    theirs = module.Qwen2VLImageProcessorPil.from_pretrained(folder)
    assert (theirs.size["shortest_edge"], theirs.size["longest_edge"]) == (784, 90_000)
    file.write_text(json.dumps(pretrained.old_processor_file(folder)))
    assert pretrained.old_processor_file(folder) is None
    whole.write_text('{"processor_class": "Qwen2_5_VLProcessor"}')  # as 4.x wrote it: nothing of pictures
    assert pretrained.processor(folder) == (784, 90_000)
    whole.write_text('{"image_processor": {"patch_size": 15}}')
    with pytest.raises(ValueError, match=r"processor_config.json: image_processor.patch_size must be 14, got 15"):
        pretrained.processor(folder)


def test_an_adapter_s_folder_is_told_and_names_its_base(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    words = r"must hold a whole model, got the PEFT adapter of .*: merge it into its base, owner/base, first"
    for look in (pretrained.is_pretrained, pretrained.folder_of):
        with pytest.raises(ValueError, match=words):
            look(str(tmp_path))
    write_small_files(tmp_path)
    assert pretrained.is_pretrained(str(tmp_path))  # a model beside it


def test_what_transformers_saves_of_a_processor_is_read(tmp_path):
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    folder = write_small_files(tmp_path)
    module.Qwen2VLImageProcessorPil(size={"shortest_edge": 784, "longest_edge": 90_000}).save_pretrained(folder)
    assert pretrained.processor(folder) == (784, 90_000)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patch_size": 16}, "patch_size must be 14, got 16"),
        ({"merge_size": 1}, "merge_size must be 2, got 1"),
        ({"image_mean": [0.5, 0.5, 0.5]}, "image_mean must be [0.48145466"),
        ({"image_std": [0.5, 0.5, 0.5]}, "image_std must be [0.26862954"),
        ({"do_resize": False}, "do_resize must be True or None, got False"),
        ({"resample": 2}, "resample must be 3 or None, got 2"),
        ({"rescale_factor": 1.0}, "rescale_factor must be 1 / 255, got 1.0"),
        ({"min_pixels": 200, "max_pixels": 100}, "max_pixels must be >= min_pixels = 200, got 100"),
        ({"max_pixels": 1.5}, "max_pixels must be a whole number > 0, got 1.5"),
    ],
)
def test_a_processor_that_does_otherwise_is_refused(tmp_path, changes, words):
    folder = write_small_files(tmp_path)
    edit(folder / "preprocessor_config.json", **changes)
    with pytest.raises(ValueError) as error:
        pretrained.processor(folder)
    assert words in str(error.value) and "preprocessor_config.json" in str(error.value)


def test_end_tokens(tmp_path):
    folder = write_small_files(tmp_path)
    ends = pretrained.end_ids(folder)
    assert len(ends) == 2
    edit(folder / "generation_config.json", eos_token_id=7)
    assert pretrained.end_ids(folder) == (7,)
    edit(folder / "generation_config.json", eos_token_id="x")
    with pytest.raises(ValueError, match="eos_token_id must be one or several token ids, got 'x'"):
        pretrained.end_ids(folder)
    (folder / "generation_config.json").unlink()
    assert pretrained.end_ids(folder) == ends[:1]  # config.json's
    folder_with(folder, NESTED | {"text_config": NESTED["text_config"] | {"eos_token_id": [5, 6]}})
    assert pretrained.end_ids(folder) == (5, 6)


def test_the_newest_chat_template_counts(tmp_path):
    assert pretrained.chat_template(tmp_path) is None
    tokenizer = tmp_path / "tokenizer_config.json"
    tokenizer.write_text(json.dumps({"chat_template": [{"name": "tools", "template": "t"}]}))
    assert pretrained.chat_template(tmp_path) is None
    tokenizer.write_text(json.dumps({"chat_template": [{"name": "default", "template": "list"}]}))
    assert pretrained.chat_template(tmp_path) == "list"
    tokenizer.write_text(json.dumps({"chat_template": "old"}))
    assert pretrained.chat_template(tmp_path) == "old"
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "middle"}))
    assert pretrained.chat_template(tmp_path) == "middle"
    (tmp_path / "chat_template.jinja").write_text("new")
    assert pretrained.chat_template(tmp_path) == "new"
    assert pretrained.chat_template_file(tmp_path) == tmp_path / "chat_template.jinja"
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"chat_template.jinja must be UTF-8 text"):
        pretrained.chat_template(tmp_path)


def test_marks_that_differ_are_refused(tmp_path):
    folder = folder_with(tmp_path, FLAT | {"image_token_id": 9})
    marks = {"<|image_pad|>": 9, "<|video_pad|>": 8, "<|vision_start|>": 1, "<|vision_end|>": 2}
    pretrained.check_marks(folder, marks)
    with pytest.raises(ValueError, match="image_token_id must be 7 or None, got 9"):
        pretrained.check_marks(folder, marks | {"<|image_pad|>": 7})


def test_names_of_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_small_files(tmp_path / "some" / "model")
    assert pretrained.is_pretrained("some/model") and pretrained.folder_of("some/model") == Path("some/model")
    assert pretrained.is_pretrained("Qwen/Qwen2.5-VL-3B-Instruct")
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "config.json").write_text('{"stages": []}')
    for workdir in ("runs/mine", "runs", "gs://bucket/run", str(tmp_path / "nothing" / "here")):
        assert not pretrained.is_pretrained(workdir)
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"model folder some/model must hold a config.json, found none"):
        pretrained.folder_of("some/model")
    with pytest.raises(FileNotFoundError, match=r"must be a folder that exists or a hub id \(owner/name\), got 'no'"):
        pretrained.folder_of("no")


def test_a_hub_id_without_network_is_said_in_a_line(monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"'some-owner/no-such-model' must be .* the hub says") as error:
        pretrained.folder_of("some-owner/no-such-model")
    assert "\n" not in str(error.value) and "HF_HUB_OFFLINE" in str(error.value)  # which conftest sets


def test_a_hub_id_is_downloaded_with_or_without_weights(tmp_path, monkeypatch):
    import huggingface_hub

    asked = []
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda name, allow_patterns: asked.append((name, allow_patterns)) or str(tmp_path),
    )
    with pytest.raises(FileNotFoundError, match=r"model owner/name on the hub must hold a config.json"):
        pretrained.folder_of("owner/name")
    folder_with(tmp_path, FLAT)
    assert pretrained.folder_of("owner/name", weights=False) == tmp_path
    assert "*.safetensors" in asked[0][1] and "*.safetensors" not in asked[1][1] and asked[1][0] == "owner/name"
    for name in hf_folder.COPIED:  # an export of a run that began from the hub copies all of them
        assert any(fnmatch.fnmatch(name, pattern) for pattern in asked[1][1]), name


def test_reading_configs_loads_nothing_heavy():
    heavy = "{'jax', 'torch', 'transformers', 'huggingface_hub'}"
    code = f"import sys, perc_jax.prompt.pretrained; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
