"""The jigsaw: shown solutions make up the picture, answers are judged by what they look like, nothing is random."""

import itertools
import pickle

import numpy as np
import pytest

import engines
from perc_jax.environments.base import Move, Observation, Question
from perc_jax.environments.jigsaw import Jigsaw
from perc_jax.rewards.endings import Ending
from tests.environments.cases import environment, picture, question

KINDS = [(2, False), (3, False), (5, False), (2, True), (4, True)]


@pytest.mark.parametrize(("side", "rotation"), KINDS)
def test_a_solution_makes_up_the_picture_and_is_right(side, rotation):
    px = 20 * side
    played = environment(side=side, rotation=rotation, turns=32, pictures=32, view_px=224)
    for seed in range(20):
        state, shown = played.start(question(seed, height=px, width=px)), []
        for said, step in played.solution(state, np.random.default_rng(seed)):
            shown.append((said, step.outcome))
            state = step.state
        *observed, (_, ending) = shown
        assert all(isinstance(outcome, Observation) and outcome.pictures for _, outcome in observed)
        assert ending.correct and ending.well_formed and ending.parts["in_place"] == 1
        assert ending.counts["turns"] == len(shown) and ending.counts["pictures"] == len(observed)
        game: Jigsaw = played.game
        assert state.board == state.scene.right
        lying = np.stack(list(game._pieces(state.scene, state.board)))
        whole = lying.reshape(side, side, 20, 20, 3).swapaxes(1, 2).reshape(px, px, 3)
        assert (whole == picture(1000 * seed, px, px)).all()


def pasted(scene_picture: np.ndarray, side: int, order: tuple[int, ...]) -> np.ndarray:
    """A board as plain Python puts it together: the piece that lay at place `order[n]` at place n."""
    height, width = (length // side for length in scene_picture.shape[:2])
    board = np.zeros((side * height, side * width, 3), np.uint8)
    for place, piece in enumerate(order):
        (row, column), (r, c) = divmod(place, side), divmod(piece, side)
        found = scene_picture[r * height : (r + 1) * height, c * width : (c + 1) * width]
        board[row * height : (row + 1) * height, column * width : (column + 1) * width] = found
    return board


def test_every_order_is_judged_by_what_it_looks_like():
    """All 24 orders of four pieces, two of which are alike: right are the two that make up the picture."""
    whole = picture(3)
    whole[:56, 56:] = whole[56:, :56]  # the second piece looks as the third
    played = environment()
    state = played.start(Question("test/alike", (whole,), "?", None))
    rights = 0
    for order in itertools.permutations(range(4)):
        answer = " ".join(str(piece + 1) for piece in order)
        ending = played.step(Move(state, f"<answer>{answer}</answer>")).outcome
        board = pasted(state.scene.picture, 2, order)
        quarters = [
            (board[r : r + 56, c : c + 56] == whole[r : r + 56, c : c + 56]).all() for r in (0, 56) for c in (0, 56)
        ]
        assert ending.parts["in_place"] == sum(quarters) / 4 and ending.correct == all(quarters)
        rights += ending.correct
    assert rights == 2


def test_pieces_that_differ_in_a_small_mark_do_not_stand_for_each_other():
    """Two pieces of 149 px of a grid's picture differ in 190 px, by less than a grey level on average."""
    played, drawn = environment(side=3, view_px=448), engines.sample("grid", split="train", index=1, level=3).image
    state = played.start(Question("train/grid/3/1", (drawn,), "?", None))
    right = [piece.number + 1 for piece in state.scene.right]
    for a, b in itertools.combinations(range(9), 2):
        order = list(right)
        order[a], order[b] = order[b], order[a]
        lying = (pasted(state.scene.picture, 3, tuple(piece - 1 for piece in board)) for board in (order, right))
        is_seen = bool((np.abs(np.subtract(*lying, dtype=np.int16)) > 100).any())
        ending = played.step(Move(state, f"<answer>{' '.join(map(str, order))}</answer>")).outcome
        assert ending.correct != is_seen and ending.parts["in_place"] == (7 / 9 if is_seen else 1), (a, b)


@pytest.mark.parametrize(
    ("mark_px", "levels", "is_alike"), [(0, 0, True), (55, 0.6, True), (1, 60, True), (4, 40, False)]
)
def test_what_is_not_seen_makes_no_difference(mark_px, levels, is_alike):
    """Faint noise all over, one pixel, a small mark at the edge of the piece, where blocks are smaller."""
    whole = picture(3)
    whole[:56, 56:] = whole[56:, :56] = 100
    noise = np.random.default_rng(0).random((mark_px, mark_px, 1)) < levels if levels < 1 else levels
    whole[56 - mark_px : 56, 112 - mark_px :] += np.asarray(noise, np.uint8)
    played = environment()
    state = played.start(Question("test/mark", (whole,), "?", None))
    one, other, order = *(state.scene.right[n].number for n in (1, 2)), [piece.number for piece in state.scene.right]
    swapped = [{one: other, other: one}.get(number, number) + 1 for number in order]
    assert played.step(Move(state, f"<answer>{' '.join(map(str, swapped))}</answer>")).outcome.correct == is_alike


def test_swaps_and_turns_show_the_board_they_make():
    played, rng = environment(side=3, rotation=True, turns=32, pictures=32, view_px=168), np.random.default_rng(0)
    state = played.start(question(1, height=168, width=168))
    cells = [state.scene.picture[r : r + 56, c : c + 56] for r in (0, 56, 112) for c in (0, 56, 112)]
    for _ in range(31):
        a, b = (int(place) for place in rng.integers(9, size=2))
        if rng.integers(2):
            code = f"Swap({a + 1}, {b + 1})"
            cells[a], cells[b] = cells[b], cells[a]
        else:
            code = f"Turn({a + 1}, {b})"
            cells[a] = np.asarray(np.rot90(cells[a], -b))  # clockwise
        step = played.step(Move(state, f"<code>{code}</code>"))
        state = step.state
        shown = step.outcome.pictures[0]
        for place, cell in enumerate(cells):
            row, column = divmod(place, 3)
            assert (shown[56 * row : 56 * row + 56, 56 * column : 56 * column + 56] == cell).all()


@pytest.mark.parametrize(
    ("answer", "is_read"),
    [
        ("2 1 3 4", True),
        ("2, 1, 3, 4", True),
        ("[2, 1, 3, 4]", True),
        ("(2 1 3 4)", True),
        ("2 1 3", False),
        ("2 1 3 4 4", False),
        ("1 1 3 4", False),
        ("0 1 2 3", False),
        ("2:0 1:0 3:0 4:0", False),
        ("B A C D", False),
        ("2134", False),
        ("\uff12 1 3 4", False),
        ("9" * 900, False),
        ("1 " * 400, False),
    ],
)
def test_an_answer_is_an_order_of_all_pieces(answer, is_read):
    played = environment()
    ending = played.step(Move(played.start(question(0)), f"<answer>{answer}</answer>")).outcome
    assert isinstance(ending, Ending) and ending.well_formed == is_read == (ending.parsed is not None)
    assert is_read or ending.parts["in_place"] == 0


def test_equal_questions_are_equal_games_and_others_are_not():
    played = environment(side=3)
    states = [played.start(question(seed)) for seed in (1, 1, 2)]
    copied = pickle.loads(pickle.dumps(played)).start(question(1))
    assert (copied.scene.picture == states[0].scene.picture).all() and copied.scene.right == states[0].scene.right
    assert states[0].scene.right == states[1].scene.right != states[2].scene.right


def test_shuffles_are_any_but_the_picture_itself():
    played, found = environment(), set()
    for seed in range(400):
        found.add(tuple(piece.number for piece in played.start(question(seed)).scene.right))
    assert len(found) == 23 and (0, 1, 2, 3) not in found


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        ((), "a picture to be cut into pieces, got none"),
        ((np.zeros((112, 112, 3), np.uint8),), "pieces that can be told apart"),
        ((picture(0, 12, 112),), "pieces of 8 px at least, got 6"),
    ],
)
def test_what_is_no_puzzle_is_refused(pictures, words):
    with pytest.raises(ValueError, match=f"^test/x must have .*{words}"):
        environment().start(Question("test/x", pictures, "?", None))
