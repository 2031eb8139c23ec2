"""Tokenizers: exact round trips, published vectors, chat templates, text that comes token by token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.prompt import tokenizer as tokenizers
from tests.weights.published_folders import edit, write_small_files

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("transformers")
    return write_small_files(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def small(folder):
    return tokenizers.load(str(folder))


TEXT = st.text(alphabet=st.one_of(st.sampled_from("ab 1é你🦙🕳\u200d\ufffd\n"), st.characters(codec="utf-8")))


def streamed(tokenizer: tokenizers.Tokenizer, ids: list[int]) -> list[str]:
    stream = tokenizers.TextStream(tokenizer)
    return [*(stream.push(token) for token in ids), stream.finish()]


@pytest.mark.parametrize("name", ["debug", "qwen"])
@given(text=TEXT)
def test_a_stream_shows_whole_characters_and_loses_nothing(request, name, text):
    tokenizer = DEBUG if name == "debug" else request.getfixturevalue("qwen")
    ids = tokenizer.encode(text)
    parts = streamed(tokenizer, ids)
    assert "".join(parts) == tokenizer.decode(ids) == text
    assert "\ufffd" in text or "\ufffd" not in "".join(parts)


@pytest.mark.parametrize("name", ["debug", "qwen"])
@given(data=st.data())
def test_a_stream_of_any_tokens_is_their_text(request, name, data):
    tokenizer = DEBUG if name == "debug" else request.getfixturevalue("qwen")
    special = st.sampled_from([*tokenizer.ids.ends, *tokenizer.ids.forbidden])
    ids = data.draw(st.lists(st.one_of(st.integers(0, tokenizer.vocab_size + 3), st.integers(0, 300), special)))
    assert "".join(streamed(tokenizer, ids)) == tokenizer.decode(ids)


def test_a_character_appears_with_its_last_byte():
    bytes_of_it = DEBUG.encode("🦙")
    assert len(bytes_of_it) == 4
    assert streamed(DEBUG, [*bytes_of_it, *DEBUG.encode("a")]) == ["", "", "", "🦙", "a", ""]
    assert streamed(DEBUG, bytes_of_it[:3]) == ["", "", "", "\ufffd"]


def test_a_folder_s_template_is_rendered_and_a_piece_file_has_none(small):
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Why?"}]}]
    assert DEBUG.render(messages) is None
    rendered = small.render(messages)
    assert rendered.count("<|image_pad|>") == 1 and rendered.endswith("Why?<|im_end|>\n<|im_start|>assistant\n")


def test_a_folder_without_a_template_renders_nothing(folder, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text((folder / name).read_text())
    edit(tmp_path / "tokenizer_config.json", chat_template=None)
    assert tokenizers.load(str(tmp_path)).render([{"role": "user", "content": "Why?"}]) is None
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('no system line') }}")
    with pytest.raises(ValueError, match=r"chat template of .* must render a question: no system line"):
        tokenizers.load(str(tmp_path)).render([{"role": "user", "content": "Why?"}])


def test_a_folder_whose_marks_differ_is_refused(folder, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text((folder / name).read_text())
    edit(tmp_path / "config.json", image_token_id=5)
    with pytest.raises(ValueError, match=r"config.json: image_token_id must be \d+ or None, got 5"):
        tokenizers.load(str(tmp_path))


def test_a_model_must_have_every_id():
    tokenizers.check_fits(DEBUG, DEBUG.vocab_size)
    with pytest.raises(ValueError, match=r"model.text.vocab_size must be at least the tokenizer's 1024, got 1023"):
        tokenizers.check_fits(DEBUG, DEBUG.vocab_size - 1)
