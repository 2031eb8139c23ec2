"""A plan on the screen, at most 120 columns wide: what `forecast.make` returns, as tables and a verdict."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from perc_jax.plan import topologies

GIB = 2**30
WIDTH = 120
SHOWN_GROUPS = 6  # of hosts that share rows
SHORT = {"parameters": "params", "optimizer": "optim.", "gradients": "grads", "activations": "activ.", "compile s": "s"}
ROLES = ("parameters", "optimizer", "decoding", "cache", "batch", "padding", "gradients", "activations")
HELD = {
    "row_by_row_bytes": "a row's tokens by themselves (dense attention)",
    "tokens_by_vocabulary_bytes": "all tokens' logits",
}


def show(plan: dict[str, Any]) -> None:
    """Print the plan."""
    console = Console(width=WIDTH, highlight=False, soft_wrap=False)
    mesh = " x ".join(f"{axis} {size}" for axis, size in plan["mesh"].items())
    console.print(
        f"[bold]{plan['config']}[/] on [bold]{plan['topology']}[/]: {plan['parameters'] / 1e9:.2f} billion parameters, "
        f"{plan['devices']} devices ({mesh}), {plan['capacity_bytes'] / GIB:.2f} GiB each"
    )
    for line in hosts(plan["hosts"]):
        console.print(line)
    console.print(_memory(plan))
    if (found := _exchanges(plan)).row_count:
        console.print(found)
    for stage in plan["stages"]:
        for one in (stage, *stage["smaller"]):
            for line in _speed(one, plan["devices"]):
                console.print(line)
    for line in verdict(plan):
        console.print(line)


def hosts(found: dict[str, Any]) -> Iterable[str]:
    """Which rows the hosts bring, where there are several."""
    if found["count"] == 1:
        return
    prompts = ", ".join(f"{count} prompts of {stage}" for stage, count in found["prompts"].items())
    yield f"{found['count']} hosts, each draws and verifies {prompts} a step"
    if shared := found["same_rows"]:
        groups = ["+".join(map(str, group)) for group in shared]
        more = f", … {groups[-1]}" if len(groups) > SHOWN_GROUPS else ""
        yield f"a tensor group spans hosts: the same rows for hosts {', '.join(groups[:SHOWN_GROUPS])}{more}"


def verdict(plan: dict[str, Any]) -> Iterable[str]:
    """Whether the run fits, and what would fit."""
    peak, capacity = plan["peak"]["bytes"] / GIB, plan["capacity_bytes"] / GIB
    fits = "[bold green]fits[/]" if plan["fits"] else "[bold red]does not fit[/]"
    yield f"{fits}: {plan['peak']['program']} needs {peak:.2f} of {capacity:.2f} GiB per device"
    for program in plan["programs"]:
        if program["error"]:
            yield f"  {program['name']}: {program['error']}"
        for name, what in HELD.items():
            if program[name]:
                yield f"  {program['name']} holds {what}: {program[name] / GIB:.2f} GiB"
    for advice in plan["advice"]:
        if advice["kind"] == "gpu" or not plan["fits"]:
            yield f"  by estimate, {advice['option']} would need {advice['estimated_bytes'] / GIB:.1f} GiB"
    if plan["by"] == "formula":
        yield from _by_formula(plan)
        return
    effort = "with the run's effort" if plan["exact"] else "in haste, see --help on --exact"
    yield (
        f"[dim]compiled {effort}, in {plan['compile_s']:.0f} s ({plan['cpu_s']:.0f} s of processor time; load of this "
        f"machine {plan['load']}), jax {plan['jax']}[/]"
    )


def _by_formula(plan: dict[str, Any]) -> Iterable[str]:
    yield (
        "[dim]by formula: nothing was compiled. Arguments and results are exact, temporaries estimated "
        "(perc_jax/plan/README.md: how near)[/]"
    )
    yield f"[dim]speed, memory and links: {plan['source']}[/]"
    yield (
        f"[dim]of the card's memory {topologies.GPU_SHARE:.0%} counts: "
        f"set XLA_CLIENT_MEM_FRACTION={topologies.GPU_SHARE}, since JAX may stop at 75 % by itself[/]"
    )


def _memory(plan: dict[str, Any]) -> Table:
    unit, size = ("GiB", GIB) if plan["peak"]["bytes"] > GIB else ("MiB", 2**20)
    is_compiled = plan["by"] == "compiler"
    how = "" if is_compiled else ", by formula"
    table = Table(
        title=f"{unit} on one device while each program runs, all that lives counted{how}", title_justify="left"
    )
    table.add_column("program", no_wrap=True)
    for column in (*ROLES, "total", *["compile s"] * is_compiled):
        table.add_column(SHORT.get(column, column), justify="right", no_wrap=True)
    for program in plan["programs"]:
        memory = program["memory"]
        cells = [f"{memory[role] / size:.2f}" if memory[role] >= size / 200 else "·" for role in ROLES]
        total = f"[{'green' if program['fits'] else 'red'}]{memory['total'] / size:.2f}[/]"
        table.add_row(program["name"], *cells, total, *[f"{program['compile_s']:.0f}"] * is_compiled)
    return table


def _exchanges(plan: dict[str, Any]) -> Table:
    table = Table(title="Exchanges between devices, per call; in decoding per token", title_justify="left")
    for column in ("program", "kind", "where"):
        table.add_column(column, no_wrap=True)
    for column in ("times", "GB per device"):
        table.add_column(column, justify="right")
    for program in plan["programs"]:
        for found in program["collectives"]:
            where = "every token" if found["in_decode_loop"] else ""
            row = (program["name"], found["kind"], where, f"{found['runs']:,}", f"{found['total_bytes'] / 1e9:.3f}")
            table.add_row(*row)
        if program["name"].endswith("decode") and plan["by"] == "compiler":
            copied = program["copied_per_token_bytes"]
            table.add_row(program["name"], "copies of cache", "every token", "", f"{copied / 1e9:.3f}")
    return table


def _speed(stage: dict[str, Any], devices: int) -> Iterable[str]:
    work = stage["flops"]
    rollout = work["prefill"] + work["decode"]
    bucket = " within {}x{}".format(*stage["bucket"]) if "smaller" not in stage else ""
    yield (
        f"[bold]{stage['name']}[/], one step{bucket}: update {_operations(work['update'])} "
        f"({_operations(work['useful_update'])} if nothing were shared), rollout {_operations(rollout)} "
        f"({_operations(work['useful_rollout'])})" + f", CLIP {_operations(work['clip'])}" * (work["clip"] > 0)
    )
    for name, meaning in (
        ("ceiling", "at the roofline"),
        ("expected", "at 40 % of the peak, 60 % of the bandwidth"),
    ):
        if name in stage:
            speed = stage[name]
            rate, clip = speed["tokens_per_s"], speed["clip_s"]
            yield (
                f"  {meaning}: rollout {speed['rollout_s']:.1f} s, update {speed['update_s']:.1f} s, "
                + f"clip {clip:.2f} s, " * (clip > 0)
                + f"{rate:,.0f} tokens/s, {rate / devices:,.0f} per device"
            )
    if size := stage.get("between_slices_bytes"):
        yield f"  between slices: {size / 1e9:.3f} GB from each device, in all micro-batches and updates"
    if any(stage.get("exchange_s", {}).values()):
        seconds = stage["exchange_s"]
        yield (
            f"  exchanges at the link's rate, hidden or not: rollout {seconds['rollout']:.1f} s, "
            f"update {seconds['update']:.1f} s"
        )


def _operations(count: float) -> str:
    return f"{count / 1e12:,.0f} TFLOP" if count >= 1e13 else f"{count / 1e9:,.1f} GFLOP"
