"""Questions about sudoku-like pictures: reading and comparing boards, short deductions, regular patterns."""

import numpy as np

from engines.base import Engine, Fact, QuestionType
from engines.sudoku.draw import Scene, draw
from engines.sudoku.questions import boards, deduce, objects, patterns
from engines.sudoku.questions.board import MIN_SIZE_PX
from engines.sudoku.scene import LettersScene, MatrixScene, RunsScene, SudokuScene, TilesScene

FACTS = {
    SudokuScene: boards.facts,
    TilesScene: patterns.tile_facts,
    MatrixScene: patterns.matrix_facts,
    RunsScene: patterns.run_facts,
    LettersScene: patterns.letter_facts,
}


def facts(scene: Scene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about any sudoku-like scene."""
    return FACTS[type(scene)](scene, rng)


ENGINE = Engine(
    name="sudoku",
    version=3,
    types=(
        QuestionType("read", boards.pose_read, MIN_SIZE_PX),
        QuestionType("count_empty", boards.pose_count_empty, MIN_SIZE_PX),
        QuestionType("count_line", boards.pose_count_line, MIN_SIZE_PX),
        QuestionType("count_symbol", boards.pose_count_symbol, MIN_SIZE_PX),
        QuestionType("repeated", boards.pose_repeated, MIN_SIZE_PX),
        QuestionType("repeating", boards.pose_repeating, MIN_SIZE_PX),
        QuestionType("missing", boards.pose_missing, MIN_SIZE_PX),
        QuestionType("lacking", boards.pose_lacking, MIN_SIZE_PX),
        QuestionType("transcribe", boards.pose_transcribe, MIN_SIZE_PX),
        QuestionType("compose", objects.pose_compose, MIN_SIZE_PX),
        QuestionType("candidates", deduce.pose_candidates, MIN_SIZE_PX),
        QuestionType("deduce", deduce.pose_deduce, MIN_SIZE_PX),
        QuestionType("pattern", patterns.pose_pattern, patterns.TILES_MIN_SIZE_PX),
        QuestionType("matrix", patterns.pose_matrix, patterns.MATRIX_MIN_SIZE_PX),
        QuestionType("runs", patterns.pose_runs, patterns.TILES_MIN_SIZE_PX),
        QuestionType("find_column", boards.pose_find_column, MIN_SIZE_PX, held_out=True),
        QuestionType("single", deduce.pose_single, MIN_SIZE_PX, held_out=True),
        QuestionType("word", patterns.pose_word, patterns.LETTERS_MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=facts,
)
