import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax import tokenizer as tokenizers

DEBUG = tokenizers.load("debug.model")
MARKED = st.lists(st.one_of(st.text(max_size=8), st.sampled_from([*tokenizers.CHAT_MARKS, "\u2581", "<unk>", " \n"])))


@given(st.text().filter(lambda text: not any(mark in text for mark in tokenizers.CHAT_MARKS)))
def test_any_text_round_trips(text):
    assert DEBUG.decode(DEBUG.encode(text)) == text


@given(MARKED)
def test_marks_become_single_ids_and_are_dropped_from_text(parts):
    ids = DEBUG.encode("".join(parts))
    text = "".join(parts)
    for mark in tokenizers.CHAT_MARKS:
        assert ids.count(DEBUG.encode(mark)[0]) == text.count(mark)
        text = text.replace(mark, "")
    assert DEBUG.decode(ids) == text


def test_ids_that_matter_are_apart():
    ids = DEBUG.ids
    assert ids.vocab_size == DEBUG.vocab_size
    assert len({ids.pad, *ids.ends, ids.image}) == 3 and ids.pad in ids.ends
    assert ids.image in ids.forbidden and not set(ids.ends) & set(ids.forbidden)
    assert DEBUG.decode([*ids.forbidden, *ids.ends, -1, DEBUG.vocab_size]) == ""


def test_answers_and_system_line_are_short():
    assert len(DEBUG.encode(r"<answer>\boxed{7}</answer>")) == 5
    assert len(DEBUG.encode(tokenizers.SYSTEM)) == 1
    assert len(DEBUG.encode("1234")) == 4  # digits stand alone
    assert DEBUG.encode("{AB}") == [DEBUG.encode(letter)[0] for letter in "{AB}"]  # and so do names of points


def test_broken_utf8_is_marked_and_does_not_raise():
    assert DEBUG.decode(DEBUG.encode("é")[:1]) == "\ufffd"


def test_debug_questions_are_words():
    assert len(DEBUG.encode("How many red circles are there in row 2?")) <= 12


def test_a_missing_file_is_named():
    with pytest.raises(
        FileNotFoundError, match=r"data.tokenizer must be a file or an asset of perc_jax, got 'no.model'"
    ):
        tokenizers.load("no.model")


def test_training_gives_the_same_bytes_twice(tmp_path):
    sentences = [
        f"How many {colour} {shape} are in row {n}?"
        for colour in ("red", "blue")
        for shape in ("cat", "dog")
        for n in "123"
    ]
    for name in ("a.model", "b.model"):
        tokenizers.train(tmp_path / name, sentences, pieces=330)
    assert (tmp_path / "a.model").read_bytes() == (tmp_path / "b.model").read_bytes()
    assert tokenizers.load(str(tmp_path / "a.model")).vocab_size == 330


@pytest.fixture(scope="module")
def qwen(reference_data):
    pytest.importorskip("transformers")
    return tokenizers.load(str(reference_data / "qwen2_5_vl_7b"))


def test_published_ids(qwen):
    assert qwen.ids.ends == (151645, 151643) and qwen.ids.pad == 151643 and qwen.ids.image == 151655
    assert {151652, 151653, 151654, 151655, 151656} == set(qwen.ids.forbidden)
    assert qwen.vocab_size == 151665


def test_published_vectors(qwen, reference_data):
    folder = reference_data / "qwen2_5_vl_7b" / "tokenizer_vectors"
    texts = (folder / "qwen2.inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")[:-1]
    rows = (folder / "qwen2.out").read_text(encoding="utf-8").split("\n")
    assert len(texts) == 46
    for text, row in zip(texts, rows, strict=False):
        wanted = [int(number) for number in row.split()]
        assert qwen.encode(text) == wanted
        assert qwen.decode(wanted) == text


@given(st.text(alphabet="ab 12.\n\t,?é🦙<|>"))
def test_published_tokenizer_round_trips(qwen, text):
    assert qwen.decode(qwen.encode(f"<|im_start|>{text}<|im_end|>")) == text
