"""Fields of a model's small files that are of another type than anybody writes: one line that names file and field."""

import json

import pytest

from perc_jax.prompt import clip_inputs, pretrained
from perc_jax.prompt.codebook import Codebook
from tests.codes.cases import write
from tests.prompt.test_pretrained import FLAT, NESTED, changed, folder_with
from tests.weights.published_folders import write_small_files

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("rescale_factor", None, "must be 1 / 255, got None"),
        ("rescale_factor", "1/255", "must be 1 / 255, got '1/255'"),
        ("rescale_factor", [1], r"must be 1 / 255, got \[1\]"),
        ("image_mean", 0.5, r"must be \[0\.48145466, .*, got 0\.5"),
        ("image_std", True, r"must be \[0\.26862954, .*, got True"),
        ("image_std", "abc", r"must be \[0\.26862954, .*, got 'abc'"),
    ],
)
def test_a_processor_s_field_of_another_type(tmp_path, name, value, rule):
    folder = write_small_files(tmp_path)
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    with pytest.raises(ValueError, match=rf"preprocessor_config\.json: {name} {rule}"):
        pretrained.processor(folder)


@pytest.mark.parametrize(("values", "path"), [(FLAT, "layer_types"), (NESTED, "text_config.layer_types")])
@pytest.mark.parametrize("value", [5, "full_attention", {"full_attention": 1}, True])
def test_layer_types_that_are_no_list(tmp_path, values, path, value):
    folder = folder_with(tmp_path, changed(values, path, value))
    with pytest.raises(ValueError, match=rf"config\.json: {path} must be a list, got "):
        pretrained.model_config(folder)


def test_end_tokens_are_those_of_the_section_that_has_them(tmp_path):
    folder_with(tmp_path, {"eos_token_id": None, "text_config": {"eos_token_id": 5}})
    assert pretrained.end_ids(tmp_path) == (5,)
    folder_with(tmp_path, {"eos_token_id": [6, 7], "text_config": {"eos_token_id": 5}})
    assert pretrained.end_ids(tmp_path) == (6, 7)
    folder_with(tmp_path, {"eos_token_id": 6, "text_config": 5})
    assert pretrained.end_ids(tmp_path) == (6,)
    folder_with(tmp_path, {"text_config": 5})
    with pytest.raises(ValueError, match=r"config\.json: text_config must be an object, got 5"):
        pretrained.end_ids(tmp_path)
    folder_with(tmp_path, {"text_config": {"eos_token_id": [-1]}})
    with pytest.raises(ValueError, match=r"config\.json: text_config\.eos_token_id must be one or several token ids"):
        pretrained.end_ids(tmp_path)
    folder_with(tmp_path, {})
    with pytest.raises(ValueError, match=r"config\.json: eos_token_id must be one or several token ids, got None"):
        pretrained.end_ids(tmp_path)


@pytest.mark.parametrize("text", [DEEP, "1" * 5000, "{"])
def test_json_that_cannot_be_read_is_said_of_its_file(tmp_path, text):
    """Brackets without an end; a number of more digits than Python reads."""
    write(tmp_path)
    (tmp_path / "config.json").write_text(text)
    for read in (lambda: Codebook.load(str(tmp_path)), lambda: clip_inputs.heads(tmp_path)):
        with pytest.raises(ValueError, match=r"config\.json must be JSON: "):
            read()
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    (tmp_path / "preprocessor_config.json").write_text(text)
    with pytest.raises(ValueError, match=r"preprocessor_config\.json must be JSON: "):
        clip_inputs.heads(tmp_path)
