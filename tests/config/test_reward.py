"""What a reward's terms may be, together and each by itself; what earlier versions stored is understood."""

import json
from dataclasses import fields, replace

import pytest

from perc_jax import cli
from perc_jax.config import Config, DataConfig, RewardConfig, StageConfig, TermConfig, check, from_dict, to_dict
from perc_jax.config.reward import MOST, OF_FUNCTIONS, OPTIONS
from tests.config.test_config import CONFIG, GRPO, SFT

OTHER = {  # a right value of every option, other than its default
    "free": 9,
    "unit": "characters",
    "column": "words",
    "whole_words": False,
    "section": "# Seen",
    "most_listed": 0,
    "headings": ("# Seen", "# Said"),
    "anywhere": True,
    "until": "# Said",
    "threshold": 0.3,
    "as_published": True,
    "ngram": 3,
    "iou": 0.7,
    "l1_px": 3.0,
    "point_px": 4.0,
    "most": 5,
    "part": "steps",
    "parts": ("a", "b"),
}
TERMS = {**OPTIONS, "mine.py:score": OF_FUNCTIONS}


def with_reward(reward: RewardConfig) -> Config:
    return replace(CONFIG, stages=(SFT, replace(GRPO, reward=reward)))


@pytest.mark.parametrize("term", TERMS)
def test_a_term_takes_its_own_options_and_no_other(term):
    check(TermConfig(term, -0.5, "mine", **{name: OTHER[name] for name in TERMS[term]}))
    for name, value in OTHER.items():
        if name not in TERMS[term]:
            needed = {"sections": {"headings": ("#",)}, "ending": {"part": "steps"}}.get(term, {})
            with pytest.raises(ValueError, match=rf"^{name} must be left as it is for {term}, got "):
                check(TermConfig(term, **{name: value}, **needed))


def test_every_option_belongs_to_a_term():
    owned = {name for names in TERMS.values() for name in names}
    assert owned == OTHER.keys() == {field.name for field in fields(TermConfig)} - {"term", "weight", "name"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"term": "accurate"}, "term must be one of accuracy, .*, or file.py:function, got 'accurate'"),
        ({"term": "mine.py"}, "term must be one of"),
        ({"term": "clip", "until": "# Said"}, "until must be empty where section is, got '# Said'"),
        ({"term": "clip", "threshold": 0.0}, "threshold must be within 0.001..1, got 0.0"),
        ({"term": "mine.py:score()"}, "term must be one of"),
        ({"term": "accuracy", "weight": float("nan")}, "weight must be a finite number, got nan"),
        ({"term": "accuracy", "weight": 1e6}, r"weight must be within -1000..1000, got 1000000.0"),
        ({"term": "accuracy", "name": "a/b"}, "name must be empty or at most 40 letters"),
        ({"term": "m.py:f", "parts": ("a", "a")}, "parts must not name anything twice"),
        ({"term": "m.py:f", "parts": ("",)}, "parts must not be empty"),
        ({"term": "sections"}, "headings must not be empty for sections"),
    ],
)
def test_a_wrong_term_is_told_by_field_rule_and_value(fault, words):
    with pytest.raises(ValueError, match="^" + words):
        check(TermConfig(**fault))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ((), rf"stages.1.reward.terms must be 1 to {MOST}, with at most {MOST} parts, got \[0, 0\]"),
        ((TermConfig("length"),) * 2, "stages.1.reward.terms must have different names .*, got \\['length'\\]"),
        ((TermConfig("a.py:f"), TermConfig("b.py:f")), "stages.1.reward.terms must have different names"),
        ((TermConfig("accuracy", 0.0),), "stages.1.reward.terms must have one whose weight is not 0"),
        ((TermConfig("accuracy"), TermConfig("x")), "stages.1.reward.terms.1.term must be one of"),
        (tuple(TermConfig("length", name=f"l{n}") for n in range(17)), "must be 1 to 16"),
    ],
)
def test_wrong_terms_are_told_together(terms, words):
    with pytest.raises(ValueError, match=words):
        with_reward(RewardConfig(terms=terms))


def test_terms_go_through_json_and_keep_their_names():
    terms = (
        TermConfig("accuracy"),
        TermConfig("dir/a.py:f", 2.0, parts=("x", "y")),
        TermConfig("length", name="short"),
    )
    config = with_reward(RewardConfig(terms=terms))
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config
    assert [term.label for term in terms] == ["accuracy", "f", "short"]


def test_the_command_line_overrides_a_term(tmp_path):
    file = tmp_path / "two.py"
    file.write_text(
        "from tests.config.test_reward import with_reward, RewardConfig, TermConfig\n"
        "def get_config():\n"
        "    return with_reward(RewardConfig(terms=(TermConfig('accuracy'), TermConfig('length'))))\n"
    )
    argv = ["--stages.1.reward.terms.0.weight", "0.5", "--stages.1.reward.terms.1.free", "64"]
    config, _ = cli.parse(["--config", str(file), *argv])
    assert config.stages[1].reward.terms == (TermConfig("accuracy", 0.5), TermConfig("length", free=64))


@pytest.mark.parametrize(
    ("weight", "terms"),
    [(0.0, (TermConfig("accuracy"),)), (0.5, (TermConfig("accuracy"), TermConfig("format", 0.5)))],
)
def test_a_format_weight_that_an_earlier_version_stored_is_that_term(weight, terms):
    old = json.loads(json.dumps(to_dict(GRPO)))
    old["reward"] = {"format_weight": weight, "control": "random"}
    assert from_dict(StageConfig, old).reward == RewardConfig(terms, "random")
    assert json.loads(json.dumps(RewardConfig.upgraded(old["reward"]))) == json.loads(
        json.dumps(to_dict(RewardConfig(terms, "random")))
    )
    assert old["reward"] == {"format_weight": weight, "control": "random"}  # what was stored stays as it was


def test_sections_need_headings_and_other_forms_have_none():
    def data(**form: object) -> DataConfig:
        return replace(CONFIG.data, **form)

    check(data(answer_form="sections", answer_sections=("### A:", "### B:")))
    with pytest.raises(ValueError, match=r"^answer_sections must not be empty for sections"):
        check(data(answer_form="sections"))
    with pytest.raises(ValueError, match=r"^answer_sections must be empty for boxed, got"):
        check(data(answer_form="boxed", answer_sections=("### A:",)))


def test_supervised_steps_have_no_thoughts_to_show():
    data = replace(CONFIG.data, answer_form="think_answer")
    replace(CONFIG, data=data, stages=(GRPO,))
    with pytest.raises(ValueError, match=r"^data.answer_form must have no part for reasoning: .* stages.0 have none"):
        replace(CONFIG, data=data)
