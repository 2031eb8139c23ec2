"""A measurement as a page in Markdown: a table of figures, memory beside the plan's, top operations."""

from collections.abc import Callable, Iterator
from typing import Any

from perc_jax.bench.device.parts import PARTS

GIB = 2**30
BUSY = 0.5  # load by others above which the page says so
Row = tuple[str, str]  # what, and the figure


def text(found: dict[str, Any]) -> str:
    """The page of what `folder.Folder.whole` gives."""
    parts = found["parts"]
    lines = [_headline(parts.get("device", {}), found["settings"]), "", "| part | measured | |", "|---|---|---|"]
    for name, part in parts.items():
        if "error" in part:
            lines.append(f"| {PARTS[name].title} | not measured | {_cell(part['error'])} |")
            continue
        for place, (what, figure) in enumerate(ROWS[PARTS[name].module](part)):
            lines.append(f"| {'' if place else PARTS[name].title} | {what} | {_cell(figure)} |")
    left = [PARTS[name].title for name in PARTS if name not in parts]
    if left:
        lines += ["", f"Not asked for: {', '.join(left)}."]
    for name, part in parts.items():
        lines += _memory(PARTS[name].title, part.get("memory", {}))
    for name, part in parts.items():
        lines += _top(PARTS[name].title, part.get("top", {}))
    return "\n".join([*lines, ""])


def _headline(device: dict[str, Any], settings: dict[str, Any]) -> str:
    if "kind" not in device:
        return "# What this device does"
    size = settings["size"] if settings["size"] != "auto" else f"{device['size']} (what fits)"
    memory = f", {device['memory_bytes'] / GIB:.1f} GiB each" * (device["memory_bytes"] > 0)
    return (
        f"# {device['count']} x {device['kind']}{memory}\n\nSize {size}; medians of {settings['repeats']}; "
        f"jax {device['jax']}, Python {device['python']}, {device['processor']}."
        + f" **Others used this machine** (load {device['load']}): its seconds are not to be trusted."
        * (device["load"] > BUSY)
    )


def _machine(part: dict[str, Any]) -> Iterator[Row]:
    if "machine" not in part:
        yield "platform", part["platform"]
        return
    best = part["machine"]
    for dtype, flops in part["measured_flops"].items():
        yield f"products of {dtype}, {part['side']} a side", f"{flops / 1e12:,.2f} TFLOP/s"
    yield "peak that MFU is of", f"{best['flops'] / 1e12:,.2f} TFLOP/s, {best['flops_source']}"
    yield "a copy, read and written", f"{best['bandwidth'] / 1e9:,.1f} GB/s"


def _parity(part: dict[str, Any]) -> Iterator[Row]:
    for one in part["ways"]:
        figure = one.get("error") or f"{one['forward']:.1e} forward, {one['backward']:.1e} backward"
        verdict = "" if one["ok"] else " **beyond its limit**"
        yield f"{one['rule']}, {one['way']}, {one['precision']}", figure + verdict


def _rollout(part: dict[str, Any]) -> Iterator[Row]:
    shape = f"{part['prompt_tokens']} + {part['max_tokens']} tokens"
    yield "model", f"{part['model']}, {part['parameters'] / 1e6:,.1f} M parameters; {shape}"
    yield "prefill, pictures with it", f"{part['pictures_s'] + part['prefill_s']:.3f} s, MFU {part['prefill_mfu']:.1%}"
    rate = f"{part['column_ms']:.2f} ms a token, {part['tokens_per_s']:,.0f} tokens/s"
    yield "decode", f"{part['decode_s']:.3f} s, {rate}"
    yield "of the copy's bandwidth; of the peak", f"{part['bandwidth_use']:.0%}; {part['decode_mfu']:.1%}"
    yield from _most(part)


def _step(part: dict[str, Any]) -> Iterator[Row]:
    shape = f"{part['completions']} completions, {part['prompt_tokens']} + {part['max_tokens']} tokens"
    rank = f", adapters of rank {part['lora_rank']}" * (part["lora_rank"] > 0)
    yield "model", f"{part['model']}, {part['parameters'] / 1e6:,.1f} M parameters{rank}; {shape}"
    yield "rollout, update, step", " ".join(f"{part[f'{one}_s']:.3f} s" for one in ("rollout", "update", "step"))
    yield "update's MFU; if nothing were shared", f"{part['update_mfu']:.1%}; {part['update_useful_mfu']:.1%}"
    yield "completion tokens of a step", f"{part['tokens_per_s']:,.0f} tokens/s"
    yield "compiled after the first step", f"{part['recompiles']} programs"
    yield from _most(part)


def _peer(part: dict[str, Any]) -> Iterator[Row]:
    yield "model", f"{part['model']} in {part['layers']} layers; {part['peer']['version']}"
    for name, one in part["parts"].items():
        yield name, f"{one['seconds']:.3f} s, the peer {one['peer_seconds']:.3f} s: {one['ratio']:.2f} x"


def _clip(part: dict[str, Any]) -> Iterator[Row]:
    texts = f"{part['completions']} texts of {part['tokens']} tokens"
    yield "model", f"{part['model']}; {part['prompts']} pictures, {texts}"
    yield "pictures, texts", f"{part['look_s']:.3f} s {part['read_s']:.3f} s, MFU {part['mfu']:.1%}"


def _most(part: dict[str, Any]) -> Iterator[Row]:
    """The device's own word on memory, where it gives one."""
    if part["peak_bytes"]:
        yield "most memory in use", f"{part['peak_bytes'] / GIB:.2f} GiB"


ROWS: dict[str, Callable[[dict[str, Any]], Iterator[Row]]] = {
    "machine": _machine,
    "parity": _parity,
    "rollout": _rollout,
    "step": _step,
    "peer": _peer,
    "clip": _clip,
}


def _memory(title: str, programs: dict[str, Any]) -> list[str]:
    """Memory by formula beside the compiled programs'."""
    if not programs:
        return []
    lines = ["", f"Memory of one device, {title}: arguments, results and temporaries", ""]
    lines += ["| program | compiled, MiB | by formula | ratio | of it temporary | by formula |", "|---" * 6 + "|"]
    for name, one in programs.items():
        ratio = one["formula_bytes"] / one["compiled_bytes"]
        sizes = [f"{one[key] / 2**20:,.1f}" for key in ("compiled_bytes", "formula_bytes")]
        temporary = [f"{one[key] / 2**20:,.1f}" for key in ("compiled_temporary", "formula_temporary")]
        lines.append(f"| {name} | {sizes[0]} | {sizes[1]} | {ratio:.2f} | {temporary[0]} | {temporary[1]} |")
    return lines


def _top(title: str, top: dict[str, Any]) -> list[str]:
    """The operations that take most."""
    if not top:
        return []
    lines = ["", f"Top operations, {title}, by {top['by']}", ""]
    lines += ["| share | runs | operation | what |", "|---|---|---|---|"]
    for one in top["operations"]:
        lines.append(f"| {one['share']:.1%} | {one['runs']:,} | `{one['name']}` | {_cell(one['what'])} |")
    return lines


def _cell(words: str) -> str:
    """Text for a cell of a table."""
    return words.replace("|", "/").replace("\n", " ")
