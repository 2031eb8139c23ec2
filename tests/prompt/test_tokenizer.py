"""Tokenizers: exact round trips, published vectors, chat templates, text that comes token by token."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.verify import extract
from perc_jax.prompt import tokenizer as tokenizers
from tests.weights.published_folders import edit, write_small_files

DEBUG = tokenizers.load("debug.model")
MARKED = st.lists(st.one_of(st.text(max_size=8), st.sampled_from([*tokenizers.CHAT_MARKS, "\u2581", "<unk>", " \n"])))


@given(st.text().filter(lambda text: not any(mark in text for mark in tokenizers.CHAT_MARKS)))
def test_any_text_round_trips(text):
    assert DEBUG.decode(DEBUG.encode(text)) == text


@given(MARKED)
def test_marks_become_single_ids_and_all_but_that_of_a_turn_are_dropped_from_text(parts):
    ids = DEBUG.encode("".join(parts))
    text = "".join(parts)
    for mark in tokenizers.CHAT_MARKS:
        assert ids.count(DEBUG.encode(mark)[0]) == text.count(mark)
        text = text if mark == tokenizers.IM_START else text.replace(mark, "")
    assert DEBUG.decode(ids) == text


@pytest.mark.parametrize("name", ["debug", "small", "qwen"])
def test_all_that_can_be_sampled_is_seen_but_for_the_end(request, name):
    tokenizer = DEBUG if name == "debug" else request.getfixturevalue(name)
    hidden = [number for number in range(tokenizer.vocab_size) if not tokenizer.decode([number])]
    assert set(hidden) <= {*tokenizer.ids.forbidden, *tokenizer.ids.ends}
    answer = tokenizer.encode(r"<answer>\boxed{7}</answer>")
    assert extract(tokenizer.decode([*answer, tokenizer.ids.ends[0]])) == "7"
    for number in range(tokenizer.vocab_size - 40, tokenizer.vocab_size):
        if number not in hidden:
            assert extract(tokenizer.decode([*answer, *[number] * 40])) is None
    turn = tokenizer.encode(tokenizers.IM_START)
    assert len(turn) == 1 and extract(tokenizer.decode([*answer, *turn])) is None


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
    assert qwen.decode(qwen.encode(f"<|vision_start|>{text}<|im_end|>")) == text


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


@pytest.fixture
def copied(folder, tmp_path):
    """The tokenizer's files of the small folder, to be changed."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text((folder / name).read_text())
    return tmp_path


THOUGHT = "<think>2 < 3, 1 + 1\n</think> <answer>\\boxed{7}</answer>"


@given(text=st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", " ", "a", "1\n", "é"])))
def test_what_a_fine_tune_made_special_is_text(fine_tune, text):
    text = "".join(text)
    assert fine_tune.decode(fine_tune.encode(text)) == text
    assert "".join(streamed(fine_tune, fine_tune.encode(THOUGHT))) == THOUGHT
    assert len(fine_tune.encode("<think>")) == len(fine_tune.encode("</answer>")) == 1
    assert not set(fine_tune.encode(THOUGHT)) & {*fine_tune.ids.forbidden, *fine_tune.ids.ends}


@pytest.fixture(scope="module")
def fine_tune(folder, tmp_path_factory):
    """A tokenizer that knows `<think>` and `<answer>` as special tokens."""
    target = tmp_path_factory.mktemp("fine_tune")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (target / name).write_text((folder / name).read_text())
    marks = ("<answer>", "</answer>", "<think>", "</think>")
    held = json.loads((target / "tokenizer.json").read_text())["added_tokens"]
    added = [token | {"special": token["special"] or token["content"] in marks} for token in held]
    more = [held[0] | {"id": 1024 + i, "content": mark, "special": True} for i, mark in enumerate(marks[2:])]
    edit(target / "tokenizer.json", added_tokens=added + more)
    edit(target / "tokenizer_config.json", additional_special_tokens=list(marks))
    found = tokenizers.load(str(target))
    assert set(marks) <= set(found._tokenizer.all_special_tokens) and found.vocab_size == 1026
    return found


def test_an_end_of_the_fine_tune_s_own_is_not_text(fine_tune):
    end = fine_tune.encode("</think>")[0]
    ids = fine_tune.encode("7</think>")
    assert fine_tune.decode(ids) == "7</think>"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fine_tune, "ids", fine_tune.ids._replace(ends=(*fine_tune.ids.ends, end)))
        assert fine_tune.decode(ids) == "7"


def test_a_folder_without_a_template_renders_nothing(copied):
    edit(copied / "tokenizer_config.json", chat_template=None)
    assert tokenizers.load(str(copied)).render([{"role": "user", "content": "Why?"}]) is None


TEXT_ONLY = "{% for m in messages %}{{ '<|im_start|>' + m.role + m.content }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ raise_exception('no system line') }}", "must render a question, got TemplateError: no system line"),
        (TEXT_ONLY, 'must render a question, got TypeError: can only concatenate str (not "list") to str'),
        (TEXT_ONLY.replace("+ m.content", "~ m.content"), "must show a picture as one <|image_pad|>, got 0"),
        ("{{ messages[7].role }}", "must render a question, got UndefinedError"),
        ("{{ 1 / 0 }}", "must render a question, got ZeroDivisionError"),
        ("{{ [].pop() }}", "must render a question, got "),
        ("{{ {}['a'].b }}", "must render a question, got UndefinedError"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "must render a question, got RecursionError"),
        ("{{ 'a'.encode('nothing') }}", "must render a question, got LookupError"),
        ("{% for", "must render a question, got TemplateSyntaxError"),
        ("<|image_pad|>" * 2, "must show a picture as one <|image_pad|>, got 2"),
    ],
)
def test_a_template_that_fails_is_one_line_at_the_start(copied, template, words):
    (copied / "chat_template.jinja").write_text(template)
    with pytest.raises(ValueError) as error:
        tokenizers.load(str(copied))
    message = str(error.value)
    assert message.startswith(f"{copied / 'chat_template.jinja'}: chat template {words}") and "\n" not in message


def test_a_template_that_fails_in_some_questions_only_is_named_too(copied):
    (copied / "chat_template.jinja").write_text("{% if messages|length > 1 %}{{ 1 / 0 }}{% endif %}<|image_pad|>")
    tokenizer = tokenizers.load(str(copied))
    with pytest.raises(ValueError, match=r"chat_template.jinja: chat template must render a question, got ZeroDiv"):
        tokenizer.render([{"role": "system", "content": "Be short."}, {"role": "user", "content": "Why?"}])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("tokenizer.json", None, "must hold a tokenizer.json, or vocab.json and merges.txt"),
        ("tokenizer.json", "{}", "tokenizer.json: model must be an object, got None"),
        ("tokenizer.json", '{"model": {}, "added_tokens": []}', "tokenizer.json: model.vocab must hold the tokens"),
        ("tokenizer.json", '{"model": {"vocab": {}}}', "tokenizer.json: added_tokens must be a list, got None"),
        ("tokenizer.json", '{"mod', "tokenizer.json must be JSON: "),
        ("tokenizer_config.json", None, "must hold a tokenizer_config.json"),
        ("tokenizer_config.json", "[]", "tokenizer_config.json must hold a JSON object, got list"),
    ],
)
def test_a_folder_without_a_sound_tokenizer_names_the_file(copied, name, content, words):
    (copied / name).unlink()
    if content is not None:
        (copied / name).write_text(content)
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        tokenizers.load(str(copied))
    assert words in str(error.value) and str(copied) in str(error.value) and "\n" not in str(error.value)


def test_a_folder_whose_marks_differ_is_refused(copied):
    edit(copied / "config.json", image_token_id=5)
    with pytest.raises(ValueError, match=r"config.json: image_token_id must be \d+ or None, got 5"):
        tokenizers.load(str(copied))


def test_a_model_must_have_every_id():
    tokenizers.check_fits(DEBUG, DEBUG.vocab_size)
    with pytest.raises(ValueError, match=r"model.text.vocab_size must be at least the tokenizer's 1024, got 1023"):
        tokenizers.check_fits(DEBUG, DEBUG.vocab_size - 1)
