"""A measurement on the screen, at most 120 columns wide: what `measure.run` returns, as tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from perc_jax.bench.figures import row_tokens

WIDTH = 120
BUSY = 0.5  # load by others above which a measurement says so


def show(found: dict[str, Any]) -> None:
    """Print a measurement or a sweep."""
    console = Console(width=WIDTH, highlight=False)
    points = found.get("points", [found])
    console.print(_headline(points[0]))
    console.print(_memory(points) if found["what"] == "memory" else _speed(points))
    for line in _notes(points):
        console.print(line)


def beside(found: dict[str, Any], ways: Mapping[str, str]) -> list[str]:
    """Two ways of doing the same in words: the seconds of each part, and how much cheaper the second is.

    Args:
        found: `seconds` and `processor_seconds`, of each way by part, and the `load` by others.
        ways: what each of the two is called on the screen.
    """
    (slow, fast), parts = ways, found["seconds"][next(iter(ways))]
    told = [f"{'seconds':10}" + "".join(f"{name:>15}" for name in ways.values()) + f"{'ratio':>8}{'by CPU':>8}"]
    for part in parts:
        clock, of_cpu = ([found[kind][way][part] for way in (slow, fast)] for kind in ("seconds", "processor_seconds"))
        told.append(f"{part:10}{clock[0]:15.3f}{clock[1]:15.3f}{clock[0] / clock[1]:8.2f}{of_cpu[0] / of_cpu[1]:8.2f}")
    quiet = "" if found["load"] <= BUSY else ": seconds are not to be trusted, the ratio by processor time a little"
    return [*told, f"load by others at the start {found['load']:.1f}{quiet}"]


def _headline(point: dict[str, Any]) -> str:
    words = f"[bold]{point['config']}[/] on [bold]{point['device']}[/]"
    if "parameters" in point:
        words += f": {point['parameters'] / 1e6:,.1f} million parameters, {point['dtype']}, {point['threads']} threads"
    return words


def _speed(points: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="Medians; tokens are completion tokens", title_justify="left")
    has_peer = any(part["ratio_to_peer"] is not None for point in points for part in point["parts"].values())
    for column in ("S C G P", "what"):
        table.add_column(column, no_wrap=True)
    for column in (
        "seconds",
        *["x first"] * (len(points) > 1),
        "tokens/s",
        "samples/s",
        "MFU",
        "unshared",
        "bandwidth",
        *["peer s", "ratio", "by CPU"] * has_peer,
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for point in points:
        name = _letters(point)
        for part, values in point["parts"].items():
            bandwidth = values["bandwidth_use"]
            first = points[0]["parts"][part]["seconds"]
            cells = (
                f"{values['seconds']:.3f}",
                *[f"{values['seconds'] / first:.2f}"] * (len(points) > 1),
                f"{values['tokens_per_s']:,.0f}",
                f"{values['samples_per_s']:,.1f}",
                _share(values["mfu"], 1),
                _share(values["useful_mfu"], 1),
                _share(bandwidth, 0) if part == "rollout" else "",
                *_ratios(values) * has_peer,
            )
            table.add_row(name, part, *cells)
            name = ""
    return table


def _share(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}%}"


def _ratios(values: dict[str, Any]) -> tuple[str, str, str]:
    """The peer's seconds, and the ratios by the clock and by processor time."""
    if values["ratio_to_peer"] is None:
        return "", "", ""
    ratios = values["ratio_to_peer"], values["processor_ratio_to_peer"]
    return f"{values['peer_seconds']:.3f}", f"[bold]{ratios[0]:.2f}[/]", f"{ratios[1]:.2f}"


def _memory(points: Iterable[dict[str, Any]]) -> Table:
    table = Table(title="A gradient on one device; row tokens are P (S + G C) of a micro-batch", title_justify="left")
    table.add_column("S C G P", no_wrap=True)
    for column in ("row tokens", "unshared", "state MiB", "temporary MiB", "KiB per row token"):
        table.add_column(column, justify="right", no_wrap=True)
    for point in points:
        shared, unshared = row_tokens(point["shape"])
        cells = (
            f"{shared:,}",
            f"{unshared:,}",
            f"{point['state_bytes'] / 2**20:,.0f}",
            f"{point['temporary_bytes'] / 2**20:,.0f}",
            f"{point['temporary_bytes'] / shared / 2**10:,.1f}",
        )
        table.add_row(_letters(point), *cells)
    return table


def _letters(point: dict[str, Any]) -> str:
    return " ".join(str(value) for value in list(point["shape"].values())[:4])


def _notes(points: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """What the figures rest on: sums and the most of all cases; lengths and the peer of each, where they are told."""
    if "machine" not in points[0]:
        return
    machine = points[0]["machine"]
    compile_s, recompiles = (sum(point[name] for point in points) for name in ("compile_s", "recompiles"))
    yield (
        f"[dim]peak {machine['flops'] / 1e12:,.2f} TFLOP/s per device ({machine['flops_source']}), a copy "
        f"{machine['bandwidth'] / 1e9:,.1f} GB/s; compiled in {compile_s:.0f} s, {recompiles} "
        f"recompiles; peak memory {max(point['peak_bytes'] for point in points) / 2**30:.2f} GiB[/]"
    )
    if points[0]["load"] > BUSY:
        yield (
            f"[bold red]others used this machine[/] (load {points[0]['load']:.1f} at the start): "
            "seconds are not to be trusted, the ratio by processor time a little"
        )
    for point in points:
        case = f"{_letters(point)}: " if len(points) > 1 else ""
        yield from (f"[dim]{case}{words}[/]" for words in _of_case(point))


def _of_case(point: Mapping[str, Any]) -> Iterable[str]:
    """How long a case's completions were, where not all had their whole length, and what was measured beside."""
    lengths = point["lengths"]
    if lengths["mean"] < point["shape"]["max_tokens"]:
        yield f"completions of {lengths['mean']:.0f} tokens on average, the longest of {lengths['longest']}"
    peer = point["peer"]
    if peer:
        difference = peer.get("logprob_difference")
        same = f"; log-probabilities of the same completions differ by {difference:.1e}" if difference else ""
        yield f"peer: {peer['version']}, peak memory {peer['peak_bytes'] / 2**30:.2f} GiB{same}"
