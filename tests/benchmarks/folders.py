"""A small folder for every public benchmark, as the authors' files or the hub's Parquet have it, made up here."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image


def png(shade: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), shade).save(buffer, "PNG")
    return buffer.getvalue()


def picture(shade: int = 0) -> dict[str, Any]:
    return {"bytes": png(shade), "path": None}


def write_parquet(file: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), file, row_group_size=1)


def write_json(file: Path, value: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_lines(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def write_png(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png())


def dynamath(folder: Path) -> None:
    for variant in (1, 2):
        rows = {
            "1": {"question": "How long?", "answer": f"{variant}.5", "answer_type": "float"},
            "2": {"question": "Which? Choices: (A) x (B) y", "answer": "B", "answer_type": "multiple choice"},
            "3": {"question": "When?", "answer": "06:09", "answer_type": "text"},
        }
        more = {"subject": "statistics", "level": "high school"}
        values = {key: {**row, **more, "image": f"image/image{key}.png"} for key, row in rows.items()}
        write_json(folder / f"trial{variant}.json", values)
    for key in "123":
        write_png(folder / "images" / f"image{key}.png")


def mathvista(folder: Path) -> None:
    fields = ("category", "task", "context", "grade", "language", "source")
    metadata = {**dict.fromkeys(fields, "x"), "skills": ["algebraic reasoning", "statistical reasoning"]}
    rows = [
        ("1", "multi_choice", "text", ["red", "blue"], "blue", None),
        ("2", "free_form", "integer", None, "12", None),
        ("3", "free_form", "float", None, "1.2", 1),
        ("4", "free_form", "list", None, "[2007, 2008]", None),
    ]
    values = {
        pid: {
            "pid": pid,
            "question": f"Question {pid}",
            "image": f"images/{pid}.jpg",
            "choices": options,
            "unit": "cm" if pid == "2" else None,
            "precision": precision,
            "answer": gold,
            "question_type": form,
            "answer_type": kind,
            "metadata": metadata,
        }
        for pid, form, kind, options, gold, precision in rows
    }
    write_json(folder / "testmini.json", values)
    for pid in values:
        write_png(folder / "images" / f"{pid}.jpg")


def mathverse(folder: Path) -> None:
    rows = [("1", "multi-choice", "C"), ("2", "free-form", "35掳"), ("3", "free-form", "$2\\sqrt{3}$")]
    values = [
        {
            "sample_index": index,
            "problem_index": index,
            "problem_version": "Vision Only",
            "question": f"Question {index}",
            "image": picture(),
            "answer": gold,
            "question_type": form,
            "metadata": {"subject": "Plane Geometry"},
            "query_cot": f"Reason, then answer. Question {index}",
        }
        for index, form, gold in rows
    ]
    write_parquet(folder / "testmini-00000-of-00001.parquet", values)


def mathvision(folder: Path) -> None:
    rows = [
        {"id": "1", "options": ["$36^{\\circ}$", "$\\frac{1}{2}$", "C", "D", "E"], "answer": "B"},
        {"id": "2", "options": [], "answer": "$4 \\pi$"},
        {"id": "3", "options": [], "answer": "60"},
    ]
    more = {"level": 2, "subject": "arithmetic"}
    write_lines(
        folder / "test.jsonl",
        [{**row, **more, "question": "What?\n<image1>", "image": f"images/{row['id']}.jpg"} for row in rows],
    )
    for row in rows:
        write_png(folder / "images" / f"{row['id']}.jpg")


def mmmu(folder: Path) -> None:
    rows = [
        {"id": "validation_Art_Theory_1", "options": "['one', 'two', 'three']", "answer": "B"},
        {"id": "validation_Math_2", "options": "[]", "answer": "['24', 'twenty-four']"},
    ]
    more = {"question": "Which of <image 1>?", "subfield": "x", "image_1": picture(), "image_2": None}
    kinds = ("multiple-choice", "open")
    values = [{**row, **more, "question_type": kind} for row, kind in zip(rows, kinds, strict=True)]
    write_parquet(folder / "Art_Theory" / "validation-00000-of-00001.parquet", values)


def mmstar(folder: Path) -> None:
    question = "What is it?\nOptions: A: a cat, B: a dog, C: a cow, D: a hen"
    rows = [
        {"index": i, "question": question, "image": picture(), "answer": gold, "category": "math", "l2_category": "x"}
        for i, gold in enumerate("AD")
    ]
    write_parquet(folder / "mmstar.parquet", rows)


def hallusionbench(folder: Path) -> None:
    rows = [("VS", "0", "0", "1"), ("VS", "1", "1", "1"), ("VS", "1", "2", "0"), ("VD", "1", "0", "1")]
    values = [
        {
            "category": category,
            "subcategory": "map",
            "visual_input": visual,
            "set_id": "0",
            "figure_id": figure,
            "question_id": "0",
            "question": "Is it so?",
            "gt_answer": gold,
        }
        for category, visual, figure, gold in rows
    ]
    write_json(folder / "HallusionBench.json", values)
    for category, visual, figure, _ in rows:
        if visual != "0":
            write_png(folder / category / "map" / f"0_{figure}.png")


def chartqa(folder: Path) -> None:
    for half, gold in (("human", "14"), ("augmented", "Yes")):
        write_json(folder / f"test_{half}.json", [{"imgname": "1.png", "query": "How many?", "label": gold}])
    write_png(folder / "png" / "1.png")


def ai2d(folder: Path) -> None:
    row = {"question": "What does A show?", "options": ["leaf", "root"], "answer": "1", "image": picture()}
    write_parquet(folder / "data" / "test-00000-of-00001.parquet", [row, {**row, "answer": "0"}])


def logicvista(folder: Path) -> None:
    more = {"question": "Which? Select from A-I", "skill": ["inductive"], "capability": ["diagram", "ocr"]}
    golds = {"v1_0": "C", "v1_1": "A, C", "v1_20": "3"}
    write_json(
        folder / "dataset.json",
        {key: {"imagename": f"{key}.png", "answer": gold, **more} for key, gold in golds.items()},
    )
    for key in golds:
        write_png(folder / "images" / f"{key}.png")


def wemath(folder: Path) -> None:
    steps = {1: ("2steps_1", "2steps_2", "2steps_multi"), 2: ("3steps_1", "3steps_2", "3steps_3", "3steps_multi")}
    rows = [
        {
            "ID": problem,
            "key": key,
            "question": "How much?",
            "option": "A. 1; B. 2",
            "answer": "B",
            "image_path": "1.png",
        }
        for problem, keys in steps.items()
        for key in keys
    ]
    write_json(folder / "data" / "testmini.json", [{**row, "knowledge concept": "x"} for row in rows])
    write_png(folder / "data" / "1.png")


def visulogic(folder: Path) -> None:
    row = {"image_path": "images/0.png", "question": "Which comes next?", "tag": "Other"}
    write_lines(folder / "data.jsonl", [{**row, "id": "0", "label": "A"}, {**row, "id": "1", "label": "D"}])
    write_png(folder / "images" / "0.png")


def blink(folder: Path) -> None:
    for task, gold in (("Counting", "(B)"), ("Art_Style", "(A)")):
        row = {
            "idx": f"val_{task}_1",
            "sub_task": task,
            "question": "Which?",
            "prompt": "Which?\n(A) one\n(B) two",
            "choices": ["one", "two"],
            "answer": gold,
            **{f"image_{i}": picture(i) if i < 3 else None for i in (1, 2, 3, 4)},
        }
        write_parquet(folder / task / "val-00000-of-00001.parquet", [row])


def cv_bench(folder: Path) -> None:
    for name, sources in (("2d", ("ADE20K", "COCO")), ("3d", ("Omni3D",))):
        rows = [
            {
                "idx": i,
                "type": name.upper(),
                "task": "Count",
                "source": source,
                "question": "How many?",
                "prompt": "How many?\n(A) 1\n(B) 2",
                "choices": ["1", "2"],
                "answer": "(B)",
                "image": picture(),
            }
            for i, source in enumerate(sources)
        ]
        write_parquet(folder / f"test_{name}.parquet", rows)


def visonlyqa(folder: Path) -> None:
    more = {"image_path": "images/1.png", "question": "Which?", "prompt_no_reasoning": "Which? Only the answer."}
    more |= {"image_category": "geometry", "task_category": "triangle"}
    one = {"id": "x1", "answer": "True", "question_type": "single_answer", "response_options": ["True", "False"]}
    several = {"id": "x2", "answer": "b,d", "question_type": "multiple_answers", "response_options": [*"abcd"]}
    write_lines(folder / "real" / "geometry__triangle.jsonl", [{**one, **more}, {**several, **more}])
    write_png(folder / "images" / "1.png")


def blindtest(folder: Path) -> None:
    golds = {
        "Touching Circles": "Yes",
        "Circled Letter": "t",
        "Counting Grid - Blank Grids": "4,6",
        "Counting Grid - Word Grids": "3,3",
        "Nested Squares": "4",
    }
    rows = [{"image": picture(), "task": task, "prompt": "What?", "groundtruth": gold} for task, gold in golds.items()]
    write_parquet(folder / "data" / "valid-00000-of-00001.parquet", rows)


def vstar(folder: Path) -> None:
    hint = "Answer with the option's letter from the given choices directly."
    text = f"What colour is it?\n(A) red\n(B) blue\n(C) green\n(D) black\n{hint}"
    rows = [
        {"image": f"{kind}/1.jpg", "text": text, "category": kind, "label": gold, "question_id": i}
        for i, (kind, gold) in enumerate((("direct_attributes", "C"), ("relative_position", "A")))
    ]
    write_lines(folder / "test_questions.jsonl", rows)
    for row in rows:
        write_png(folder / row["image"])


WRITERS: dict[str, Callable[[Path], None]] = {
    write.__name__: write
    for write in (
        *(dynamath, mathvista, mathverse, mathvision, mmmu, mmstar, hallusionbench, chartqa, ai2d, logicvista),
        *(wemath, visulogic, blink, cv_bench, visonlyqa, blindtest, vstar),
    )
}
