"""The curriculum: shares follow measured difficulty, phases depend on nothing but counts, state makes them again."""

import dataclasses
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.debug_cpu import get_config
from perc_jax.config import Config, CurriculumConfig, MixtureConfig, StageConfig, TableConfig, check
from perc_jax.data import curriculum, streams
from perc_jax.data.curriculum import (
    COLUMNS,
    KINDS,
    LAG,
    Cell,
    Curriculum,
    cells_of,
    classify,
    pass_rates,
    stratify,
    tally,
)

STRATIFIED = CurriculumConfig(kind="stratified", phase_steps=4)
MIXTURE = MixtureConfig(
    engines=("grid", "cube"),
    weights=(3.0, 1.0),
    levels=(0, 1),
    types=("grid.grid_size", "grid.locate", "cube.extreme_colour"),
    curriculum=STRATIFIED,
)
NAMES = list(KINDS)
PIPED = {"capture_output": True, "text": True, "cwd": Path(__file__).parents[2], "timeout": 120}


def counts(*rows: tuple[int, int]) -> np.ndarray:
    """A tally of (groups, right) per cell."""
    return np.array([[groups, right, 0, 0, 0] for groups, right in rows])


def of_stage(stage: StageConfig, workers: int = 0, **fields: int) -> Config:
    base = get_config()
    return dataclasses.replace(
        base,
        data=dataclasses.replace(base.data, workers=workers, **fields),
        stages=(stage,),
        evaluation=dataclasses.replace(base.evaluation, hard_levels=(9,)),
    )


def made(mixture: MixtureConfig = MIXTURE, **how) -> Curriculum:
    return Curriculum(mixture, 112, 8, **how)


def test_cells_are_what_the_mixture_draws_in_its_proportions():
    cells = cells_of(MIXTURE, 112)
    assert sum(cells.values()) == pytest.approx(1)
    assert cells[Cell("cube", "extreme_colour", 0)] == pytest.approx(1 / 8)
    assert cells[Cell("grid", "locate", 1)] == pytest.approx(3 / 16) and len(cells) == 6
    stage = dataclasses.replace(get_config().stages[1], steps=250, prompts_per_step=4, micro_batches=1, mixture=MIXTURE)
    plain = dataclasses.replace(stage, mixture=dataclasses.replace(MIXTURE, curriculum=CurriculumConfig()))
    config = of_stage(plain)
    draw = streams.stream(config, plain).batches.rows
    drawn = [draw.sample(position, 0) for position in range(400)]
    found = {cell: 0 for cell in cells}
    for sample in drawn:
        found[Cell(sample.engine, sample.question_type, sample.level)] += 1
    assert all(abs(found[cell] / 400 - share) < 0.07 for cell, share in cells.items())


def test_shares_are_those_of_the_worked_example():
    rates, known = np.array([0.0, 0.4, 0.6, 1.0]), np.full(4, 80.0)
    kinds = classify(rates, known, (0.2, 0.8))
    assert [NAMES[kind] for kind in kinds] == ["hard", "band", "band", "solved"]
    assert stratify(np.full(4, 0.25), kinds, STRATIFIED).tolist() == [0.2, 0.35, 0.35, 0.1]
    assert [NAMES[kind] for kind in classify(rates, np.zeros(4), (0.2, 0.8))] == ["new"] * 4


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 200), st.floats(0.01, 1)), min_size=1, max_size=12),
    st.floats(0, 0.4),
    st.floats(0, 0.4),
)
def test_shares_always_sum_to_one_and_keep_the_proportions_within_a_kind(cells, rehearsal, exploration):
    config = CurriculumConfig(kind="stratified", rehearsal=rehearsal, exploration=exploration)
    rates, known, base = (np.array(column) for column in zip(*cells, strict=True))
    kinds = classify(rates, known, config.band)
    shares = stratify(base / base.sum(), kinds, config)
    assert shares.sum() == pytest.approx(1, abs=1e-6) and (shares >= 0).all()
    for kind in range(len(KINDS)):
        mine = kinds == kind
        if mine.sum() > 1 and shares[mine].sum() > 1e-3:
            assert shares[mine] / shares[mine].sum() == pytest.approx(base[mine] / base[mine].sum(), abs=1e-4)
    in_band, main = kinds == KINDS.index("band"), 1 - rehearsal - exploration
    if in_band.any():
        others = rehearsal * (kinds == KINDS.index("solved")).any() + exploration * (kinds < 2).any()
        assert shares[in_band].sum() == pytest.approx(main / (main + others), abs=1e-6)


def test_rates_lean_on_neighbouring_levels_only_where_little_is_known():
    cells = [Cell("grid", "count", level) for level in range(3)] + [Cell("cube", "view", 0)]
    rates, known = pass_rates(cells, np.array([400.0, 0, 8, 0]), np.array([360.0, 0, 0, 0]))
    assert rates[0] == pytest.approx(0.9, abs=0.01) and known[3] == 0 and rates[3] == 0.5
    assert rates[1] == pytest.approx(0.25 * 360 / (0.25 * 400 + 0.25 * 8)) and known[1] == curriculum.PRIOR
    assert 0 < rates[2] < 0.35  # eight of its own, all wrong, against four that level 0 lends


def test_a_phase_is_decided_lag_batches_before_it_begins_and_by_all_counts_up_to_there():
    with made() as this:
        n = len(this.cells)
        decided = [record for batch in range(12) if (record := this.add(counts(*[(1, 8 * (batch < 2))] * n)))]
        assert [record["phase"] for record in decided] == [1, 2, 3]
        assert [record["first_batch"] for record in decided] == [4, 8, 12]
        assert decided[0]["groups"] == [4 - LAG] * n and decided[1]["groups"] == [4] * n
        assert decided[0]["kind"] == ["solved"] * n and set(decided[-1]["kind"]) == {"hard"}
        assert decided[1]["rate"][0] == pytest.approx(8 / (8 + 32), abs=0.03)  # the first counts are halved


def test_the_band_is_drawn_more_and_the_metrics_say_so():
    with made() as this:
        rows = [(8, 32), *[(8, 0)] * 4, (8, 64)]
        for _ in range(4):
            this.add(counts(*rows))
        shares, kinds = this.record()["share"], this.record()["kind"]
        assert kinds == ["band", "hard", "hard", "hard", "hard", "solved"]
        assert shares[0] == pytest.approx(0.7) and shares[5] == pytest.approx(0.1)
        metrics = this.metrics(counts((6, 0), *[(0, 0)] * 4, (2, 0)))
        assert metrics["curriculum/band_share"] == 0.75 and metrics["curriculum/cells/hard"] == 4


def test_without_a_curriculum_the_mixture_stays_and_is_still_measured():
    plain = dataclasses.replace(MIXTURE, curriculum=CurriculumConfig(phase_steps=4))
    with made(plain) as this:
        assert this.phases is None
        for _ in range(2):
            record = this.add(counts(*[(1, 8)] * 3, *[(1, 0)] * 3))
        assert record["share"] == pytest.approx(list(cells_of(MIXTURE, 112).values()))
        assert record["right"] == [16] * 3 + [0] * 3


def test_a_stored_tally_goes_on_as_if_it_had_never_stopped():
    rng = np.random.default_rng(0)
    batches = [counts(*rng.integers(0, 9, (6, 2)).tolist()) for _ in range(14)]
    with made() as whole:
        expected = [whole.add(batch) for batch in batches]
        expected_metrics = whole.metrics(batches[0])
    for stop in range(1, 14):
        with made() as first:
            for batch in batches[:stop]:
                first.add(batch)
            stored = json.loads(json.dumps(first.stored()))
        with made(batches=stop, stored=stored) as second:
            assert second.is_resumed
            for place in range(stop // 4, (stop + LAG) // 4 + 1):  # what may still be drawn lies ready
                assert curriculum._read_shares(second.phases.folder, place).sum() == pytest.approx(1)
            assert [second.add(batch) for batch in batches[stop:]] == expected[stop:]
            assert second.metrics(batches[0]) == expected_metrics


def test_tables_alone_have_no_cells_and_go_on_as_well():
    tables = MixtureConfig(engines=(), weights=(), tables=(TableConfig("mine.jsonl"),))
    nothing = np.zeros((0, len(COLUMNS)))
    with made(tables) as first:
        first.add(nothing)
        stored = json.loads(json.dumps(first.stored()))
    with made(tables, batches=1, stored=stored) as second:
        assert second.is_resumed and second.stored() == stored
        second.add(nothing)
        assert second.metrics(nothing)["curriculum/band_share"] == 0


def test_another_mixture_begins_anew_with_all_phases_that_can_be_asked():
    with made() as first:
        stored = first.stored() | {"batches": 3}
    other = dataclasses.replace(MIXTURE, levels=(0,))
    with made(other, batches=3, stored=stored) as second:
        assert not second.is_resumed
        for phase in (0, 1):
            assert curriculum._read_shares(second.phases.folder, phase).sum() == pytest.approx(1)


def test_a_draw_waits_for_its_phase_and_gives_up_when_the_curriculum_ends():
    this, found = made(), []

    def draw(batch: int) -> None:
        try:
            found.append(this.phases.cell(np.random.default_rng(0), 3 * batch, 3))
        except RuntimeError as error:
            found.append(str(error))

    threads = [threading.Thread(target=draw, args=(batch,)) for batch in (0, 4, 8)]
    for thread in threads:
        thread.start()
    threads[0].join(5)
    time.sleep(0.1)
    assert len(found) == 1
    for _ in range(2):
        this.add(counts(*[(1, 0)] * 6))
    threads[1].join(5)
    assert len(found) == 2
    this.close()
    threads[2].join(5)
    assert "closed before its next phase" in found[2]


@pytest.fixture(scope="module")
def drawn_at_once() -> list[str]:
    """What the stage of the next test draws in this process, with nothing drawn further ahead than one batch, in a
    stream that nobody opens anew."""
    return drawn_in_pieces(0, 1, (10,))


def drawn_in_pieces(workers: int, prefetch: int, ends: tuple[int, ...]) -> list[str]:
    """The ids that a stage of ten steps draws, whose stream is opened anew after each of the batches `ends` but for the
    last."""
    stage = dataclasses.replace(get_config().stages[1], steps=10, prompts_per_step=2, micro_batches=1, mixture=MIXTURE)
    config = of_stage(stage, workers=workers, prefetch=prefetch)

    def drawn(first: int, last: int, stored: dict | None) -> tuple[list[str], dict]:
        this, ids = made(batches=first, stored=stored), []
        with streams.stream(config, stage, 2 * first, phases=this.phases) as stream, this:
            for _ in range(first, last):
                batch = next(stream)
                ids += [info.sample_id for info in batch.samples]
                cells = [Cell(info.engine, info.question_type, info.level) for info in batch.samples]
                right = [4 * (info.engine == "grid") for info in batch.samples]
                this.add(tally(this.places, cells, right, ["mixed"] * 2))
            return ids, this.stored()

    found, stored = [], None
    for first, last in zip((0, *ends), ends, strict=False):
        ids, stored = drawn(first, last, stored)
        found += ids
    return found


@pytest.mark.parametrize("workers", [0, 1])
def test_how_far_workers_are_ahead_does_not_change_what_is_drawn(workers, drawn_at_once):
    """Phases are decided while batches of them are already asked for; a stream opened anew draws the same."""
    found = drawn_in_pieces(workers, 8, (5, 10))
    assert found == drawn_at_once and len(set(found)) == 20
    engines = [name.split("/")[1] for name in found[10:]]
    assert engines.count("grid") > engines.count("cube")


def test_a_grading_seeds_the_first_phase(tmp_path, monkeypatch):
    file = tmp_path / "grade.jsonl"
    cells = list(cells_of(MIXTURE, 112))
    marks = [[True] * 4 + [False] * 4] + [[False] * 8] * 5
    lines = [
        json.dumps({"id": f"train/{c.engine}/{c.question_type}/{c.level}/7", "correct": m})
        for c, m in zip(cells, marks, strict=True)
    ]
    file.write_text("\n".join([json.dumps({"evaluation": {}}), *lines]) + "\n")
    seeded = dataclasses.replace(MIXTURE, curriculum=dataclasses.replace(STRATIFIED, grade=str(file)))
    with made(seeded) as this:
        assert this.record()["kind"][0] == "band" and this.record()["kind"][2:] == ["hard"] * 4
    for batches in range(2 * STRATIFIED.phase_steps + 1):  # wherever it is begun, also just before a phase's end
        with made(seeded, batches=batches) as this:
            kinds = [this.stored()["phases"][place][2] for place in (0, -1)]
            assert this.record()["kind"][2:] == ["hard"] * 4 and kinds[0] == kinds[1]
            assert this.stored()["completions"] == [8.0] * len(cells)
    home = dataclasses.replace(MIXTURE, curriculum=dataclasses.replace(STRATIFIED, grade="~/grade.jsonl"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with made(home) as this:
        assert this.record()["kind"][0] == "band"
    file.write_text(lines[0] + "\n{torn\n")
    with pytest.raises(ValueError, match=r"grade.jsonl line 2 must be one of perc_jax.grade, got '{torn'"):
        made(seeded)
    file.write_text(json.dumps({"id": "17", "correct": [True]}) + "\n")
    with pytest.raises(ValueError, match="must hold questions of the mixture's cells"):
        made(seeded)


def test_files_of_phases_are_gone_when_nobody_uses_them(tmp_path, monkeypatch):
    """Closed, forgotten, never whole, or of a process that has ended; those of a living one stay."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with made() as this:
        [folder] = tmp_path.iterdir()
        curriculum._remove(str(folder), os.getpid() + 1)  # as in a process forked from this one
        assert folder.exists()
    assert not folder.exists()
    this.close()
    kept = made()
    assert len([*tmp_path.iterdir()]) == 1
    del kept
    gc.collect()
    assert not [*tmp_path.iterdir()]
    with pytest.raises(OSError):
        made(dataclasses.replace(MIXTURE, curriculum=dataclasses.replace(STRATIFIED, grade="gone.jsonl")))
    gc.collect()
    assert not [*tmp_path.iterdir()]
    code = "from tests.data.test_curriculum import made; kept = made(); print(kept.phases.folder)"
    ended = subprocess.run([sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(tmp_path)}, **PIPED)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip().startswith(str(tmp_path)) and not [*tmp_path.glob("perc_jax_curriculum_*")]


def test_a_tally_counts_groups_by_cell_and_reason():
    cells = [Cell("grid", "count", 0), Cell("cube", "view", 3)]
    places = {cell: place for place, cell in enumerate(cells)}
    found = tally(places, [cells[1], cells[1], cells[0]], [3, 0, 8], ["mixed", "cut", "all_right"])
    assert dict(zip(COLUMNS, found[1].tolist(), strict=True)) == {
        "groups": 2, "right": 3, "all_right": 0, "all_wrong": 0, "cut": 1,
    }  # fmt: skip
    assert found[0].tolist() == [1, 8, 1, 0, 0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"band": (0.8, 0.2)}, "band must be two pass rates in order"),
        ({"phase_steps": 2}, "phase_steps must be >= 3, got 2"),
        ({"rehearsal": 0.6, "exploration": 0.5}, r"rehearsal \+ exploration must be < 1, got 1.1"),
        ({"kind": "none", "grade": "x.jsonl"}, "grade must be empty for none"),
    ],
)
def test_wrong_settings_are_refused(fields, words):
    with pytest.raises(ValueError, match=f"mixture.curriculum.{words}"):
        check(CurriculumConfig(**({"kind": "stratified"} | fields)), "mixture.curriculum")
