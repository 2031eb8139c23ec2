"""The contact sheet as HTML: categories, their types, and a card per sample."""

import base64
import html
import io
import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

import engines
from engines.base import Engine, QuestionType
from engines.gallery.look import SCRIPT, STYLE

PHOTO_QUALITY = 82  # of WebP; what the camera did to the picture is kept well above it
VIEWS = (("both", "both"), ("clean", "clean"), ("photo", "photographed"))


class Choice(NamedTuple):
    """What the gallery shows."""

    engines: tuple[str, ...]
    levels: tuple[int, ...]
    samples: int
    size_px: int


def shown(choice: Choice) -> Iterator[tuple[Engine, QuestionType, int, int]]:
    """Every sample by engine, type, level and index; levels at which a type is not legible are left out."""
    for name in choice.engines:
        for kind in engines.ENGINES[name].types:
            for level in choice.levels:
                if kind.min_size_px[level] <= choice.size_px:
                    yield from ((engines.ENGINES[name], kind, level, index) for index in range(choice.samples))


def page(choice: Choice, advance: Callable[[], None] = lambda: None) -> str:
    """The whole page."""
    cards: dict[tuple[str, str], list[str]] = {}
    for engine, kind, level, index in shown(choice):
        cards.setdefault((engine.name, kind.name), []).append(_card(engine, kind, level, index, choice.size_px))
        advance()
    parts = [_category(engines.ENGINES[name], cards) for name in choice.engines]
    return "\n".join(
        [
            "<!doctype html><html lang=en><head><meta charset=utf-8><title>Data engines: gallery</title>",
            "<meta name=viewport content='width=device-width, initial-scale=1'>",
            f"<style>{STYLE}</style></head><body data-view=both>",
            _header(choice),
            "<main>",
            *parts,
            "<p id=nothing class=none>Nothing fits these filters.</p></main>",
            "<dialog><img alt=''></dialog>",
            f"<script>{SCRIPT}</script></body></html>",
        ]
    )


def _header(choice: Choice) -> str:
    """Title and filters; it stays in sight."""
    names = "".join(_button("filter='category'", name, name) for name in choice.engines)
    levels = "".join(_button("filter='level'", str(level), str(level)) for level in choice.levels)
    views = "".join(
        f"<button data-view={view} aria-pressed={str(view == 'both').lower()}>{name}</button>" for view, name in VIEWS
    )
    return (
        "<header><div class=bar><h1>Data engines</h1>"
        f"<div class=group><span>category</span>{names}</div></div>"
        f"<div class=bar><div class=group><span>level</span>{levels}</div>"
        f"<div class=group><span>show</span>{views}</div>"
        "<input type=search placeholder='type, e.g. count' aria-label='question type'>"
        "<button id=theme>light / dark</button></div></header>"
    )


def _button(what: str, value: str, label: str) -> str:
    return f"<button data-{what} data-value='{value}' aria-pressed=false>{html.escape(label)}</button>"


def _category(engine: Engine, cards: dict[tuple[str, str], list[str]]) -> str:
    held = sum(kind.held_out for kind in engine.types)
    links = "".join(f"<a href='#{engine.name}.{kind.name}'>{kind.name}</a>" for kind in engine.types)
    parts = [
        f"<section class=category id={engine.name}><h2>{engine.name.capitalize()}</h2>",
        f"<p>{len(engine.types)} question types, {held} of them held out of training; version {engine.version}</p>",
        f"<nav>{links}</nav>",
    ]
    for kind in engine.types:
        badge = "<span class=badge>held out</span>" if kind.held_out else ""
        sizes = f"from {kind.min_size_px[0]} px at level 0 to {kind.min_size_px[9]} px at level 9"
        parts.append(
            f"<article class=type id='{engine.name}.{kind.name}'><h3>{kind.name}{badge}<small>{sizes}</small></h3>"
            f"<div class=cards>{''.join(cards.get((engine.name, kind.name), ()))}</div></article>"
        )
    return "\n".join([*parts, "</section>"])


def _card(engine: Engine, kind: QuestionType, level: int, index: int, size_px: int) -> str:
    """One sample, clean and photographed, with all it carries."""
    split = "test_d" if kind.held_out else "train"
    name = {"split": split, "index": index, "level": level, "question_type": kind.name, "size_px": size_px}
    clean, photo = (engines.sample(engine.name, **name, photo=photo) for photo in (False, True))
    call = f"engines.sample({engine.name!r}, {', '.join(f'{key}={value!r}' for key, value in name.items())})"
    facts = "".join(
        f"<li>{html.escape(fact.question)} <b>{html.escape(fact.answer.text())}</b></li>" for fact in clean.facts
    )
    return (
        f"<div class=card data-level={level}><div class=pair>{_img(clean.image, 'clean')}{_img(photo.image, 'photo')}"
        f"</div><div class=text><p class=question>{html.escape(clean.question)}</p>"
        f"<div class=meta><span class=gold>{html.escape(clean.answer.text())}</span><span>level {level}</span>"
        f"<span>{clean.answer.kind}</span><span>blind guess {clean.guess_rate:.0%}</span></div>"
        f"<details><summary>scene, facts, name</summary><p>{html.escape(clean.scene_text)}</p><ul>{facts}</ul>"
        f"<p><code>{html.escape(json.dumps(clean.query))}</code></p><p><code>{html.escape(call)}</code></p>"
        "</details></div></div>"
    )


def _img(image: np.ndarray, view: str) -> str:
    """A picture inside the page: without loss if clean, as WebP in either case."""
    data, is_clean = io.BytesIO(), view == "clean"
    Image.fromarray(image).save(data, "WEBP", lossless=is_clean, quality=60 if is_clean else PHOTO_QUALITY, method=3)
    encoded = base64.b64encode(data.getvalue()).decode()
    return f"<img class={view} alt='{view}' decoding=async src='data:image/webp;base64,{encoded}'>"
