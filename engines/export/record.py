"""A sample as one flat record: columns of numbers and texts, the picture as the bytes of a file.

Whatever has structure (scene, query, facts, marks, the answer with what its comparison needs) is a column of JSON;
`engines.answer.Answer.from_json` reads an answer back, so records can be verified without the engines' scenes.
"""

import io
import json
from typing import Any

from PIL import Image

from engines.base import Sample

JPEG_QUALITY = 95  # of photographed pictures, which have been JPEGs before; clean ones are PNG, without loss
COLUMNS = {  # name -> type, as Python, numpy, Arrow and Hugging Face call it
    "id": "string",
    "engine": "string",
    "version": "int64",
    "question_type": "string",
    "split": "string",
    "index": "int64",
    "level": "int64",
    "size_px": "int64",
    "photographed": "bool",
    "question": "string",
    "answer": "string",
    "answer_json": "string",
    "facts_json": "string",
    "scene_json": "string",
    "scene_text": "string",
    "query_json": "string",
    "marks_json": "string",
    "guess_rate": "float64",
}


def record(sample: Sample) -> dict[str, Any]:
    """The columns of a sample, and its encoded picture under `image`."""
    facts = [{"question": fact.question, "answer": fact.answer.to_json()} for fact in sample.facts]
    marks = [{"name": m.name, "kind": m.kind, "box": [round(x, 2) for x in m.box]} for m in sample.marks]
    place = f"{sample.split}-{sample.index}-{sample.level}" + (f"-{sample.variant}" if sample.variant else "")
    return {
        "id": f"{sample.engine}-{sample.version}-{sample.question_type}-{place}",
        "engine": sample.engine,
        "version": sample.version,
        "question_type": sample.question_type,
        "split": sample.split,
        "index": sample.index,
        "level": sample.level,
        "size_px": sample.size_px,
        "photographed": sample.photographed,
        "question": sample.question,
        "answer": sample.answer.text(),
        "answer_json": _json(sample.answer.to_json()),
        "facts_json": _json(facts),
        "scene_json": _json(sample.scene),
        "scene_text": sample.scene_text,
        "query_json": _json(sample.query),
        "marks_json": _json(marks),
        "guess_rate": float(sample.guess_rate),
        "image": encoded(sample),
    }


def encoded(sample: Sample) -> bytes:
    """The picture as a file: PNG if clean, else JPEG with colour at full resolution."""
    data, image = io.BytesIO(), Image.fromarray(sample.image)
    if sample.photographed:
        image.save(data, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        image.save(data, "PNG", compress_level=6)
    return data.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
