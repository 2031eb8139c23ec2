"""Words that a run adds to a tokenizer: one id each, in order, text again; all other text is read as before."""

import dataclasses

import numpy as np
import pytest

from configs import debug_cpu
from perc_jax.batch import MapIds
from perc_jax.config import CodebookConfig, CodesConfig
from perc_jax.prompt import tokenizer as tokenizers
from perc_jax.prompt.tokenizer import IM_END, IMAGE_PAD, load
from tests.weights.published_folders import write_small_files

CODES = CodesConfig(map="depth", codebook=CodebookConfig(side=2, codes=12, map_px=16), folder="some", places=3)
WORDS = CODES.tokens
TEXTS = (
    "How far is the <DEPTH cube?",
    "<DEPTH_START><DEPTH_3><DEPTH_11> <DEPTH_0><DEPTH_END>\n<answer>\\boxed{<PIXEL_2>, 4}</answer>",
    f"{IM_END}<DEPTH_1>{IM_END} <DEPTH_12>x<PIXEL_1><PIXEL_10>é中🙂",
    "<<DEPTH_1>>",
)


def config_with(name: str = "debug.model", codes: CodesConfig = CODES):
    config = debug_cpu.get_config()
    model = dataclasses.replace(config.model, text=dataclasses.replace(config.model.text, vocab_size=2048))
    return dataclasses.replace(config, model=model, data=dataclasses.replace(config.data, tokenizer=name), codes=codes)


@pytest.fixture(params=["pieces", "folder", "published"])
def name(request, tmp_path) -> str:
    """A SentencePiece tokenizer, the same as a Hugging Face folder, and the published one."""
    if request.param == "pieces":
        return "debug.model"
    if request.param == "folder":
        return str(write_small_files(tmp_path / "folder"))
    return str(request.getfixturevalue("reference_data") / "qwen2_5_vl_7b")


def test_each_is_one_id_behind_the_tokenizer_s_own_and_text_again(name):
    plain, ours = load(name), load(name, WORDS)
    first = plain.vocab_size
    assert [ours.encode(word) for word in WORDS] == [[first + number] for number in range(len(WORDS))]
    assert ours.vocab_size == ours.ids.vocab_size == first + len(WORDS)
    assert ours.ids == plain.ids._replace(vocab_size=ours.vocab_size)
    for text in TEXTS:
        assert ours.decode(ours.encode(text)) == text.replace(IM_END, "")
    assert ours.decode([*range(first, first + len(WORDS)), first + len(WORDS)]) == "".join(WORDS)


def test_text_without_them_and_between_them_is_read_as_before(name):
    plain, ours = load(name), load(name, WORDS)
    rng = np.random.default_rng(0)
    parts = [*"ab 1\n", "<DEPTH_", "_START>", "the ", IMAGE_PAD, "é", "<"]
    for _ in range(100):
        before, after = ("".join(rng.choice(parts, 6)) for _ in range(2))
        assert ours.encode(before) == plain.encode(before)
        word = str(rng.choice(WORDS))
        assert ours.encode(before + word + after) == [*plain.encode(before), *ours.encode(word), *plain.encode(after)]


def test_the_longest_name_is_cut_out(tmp_path):
    for name in ("debug.model", str(write_small_files(tmp_path / "folder"))):
        ours = load(name, ("<a>", "<a>b", "<a>bc"))
        first = load(name).vocab_size
        assert ours.encode("<a>bc<a>b<a>") == [first + 2, first + 1, first]


def test_what_cannot_be_added_is_one_line(name):
    for words, said in (
        (("<x>", "<y>", "<x>"), r"an added token must be named once, got '<x>'"),
        (("<x>", " "), r"an added token must not be empty, got ' '"),
        ((IM_END,), r"an added token must not be a chat mark, got '<\|im_end\|>'"),
        (("<x>", "e"), r"an added token must not be a word of .* already, got 'e'"),
    ):
        with pytest.raises(ValueError, match=said):
            load(name, words)


def test_a_run_s_tokenizer_has_all_that_its_codes_add():
    first = load("debug.model").vocab_size
    free = tokenizers.of(config_with())
    assert free.vocab_size == first + 12 + 2 + 3 and free.ids.map is None
    bound = tokenizers.of(config_with(codes=dataclasses.replace(CODES, constrained=True)))
    assert bound.ids.map == MapIds(start=first, first=first + 1, count=12, end=first + 13, length=4)
    assert free.ids == bound.ids._replace(map=None)
    none = tokenizers.of(config_with(codes=CodesConfig()))
    assert none.ids == load("debug.model").ids and none.encode("<DEPTH_1>") == load("debug.model").encode("<DEPTH_1>")
    assert tokenizers.shared(config_with()) is tokenizers.shared(config_with())
    assert tokenizers.shared(config_with()).ids == free.ids


def test_a_folder_that_was_given_them_before_keeps_its_ids(tmp_path):
    folder = write_small_files(tmp_path / "folder")
    given = tokenizers.published("AutoTokenizer").from_pretrained(folder)
    given.add_tokens(["<other>", *WORDS[:5]])
    given.save_pretrained(folder)
    first = load("debug.model").vocab_size
    ours = load(str(folder), WORDS)
    assert [ours.encode(word) for word in WORDS] == [[first + 1 + number] for number in range(len(WORDS))]
    assert ours.vocab_size == first + 1 + len(WORDS)
    assert load(str(folder)).encode(WORDS[4]) == [first + 5] and len(load(str(folder)).encode(WORDS[5])) > 1
    # The last of the codes is not there yet, and another word stands where it would be.
    given.add_tokens(["<another>"])
    given.save_pretrained(folder)
    bound = config_with(str(folder), dataclasses.replace(CODES, constrained=True))
    with pytest.raises(ValueError, match=r"codes\.map must have codes whose ids follow each other .* got 'depth'"):
        tokenizers.of(bound)
