"""What became of each layer of a pruned network, as the page shows it."""

import html
from collections.abc import Sequence

from prune.outcomes import Layer, Outcome
from sr.report.page import digits, section
from sr.report.tables import kept_table, meter_table


def layer_sections(outcomes: Sequence[Outcome]) -> str:
    """Return what became of each layer, as HTML: channels kept, and runtimes where any were measured."""
    slim = {each.name: {layer.name: layer for layer in each.layers} for each in outcomes if each.layers}
    names = list(dict.fromkeys(name for layers in slim.values() for name in layers))
    if not names:
        return ""
    columns = [(each, side) for each in slim for side in ("inputs", "outputs")]
    kept = [[cell for layers in slim.values() for cell in _kept_cells(layers.get(name))] for name in names]
    note = (
        "Convolutions in the order in which they run: how many are left of the channels that each reads (inputs) and "
        "writes (outputs); the bluer the more."
    )
    sections = section("Channels kept", note, kept_table(names, columns, kept))
    timed = {
        each: [_times(layers.get(name)) for name in names]
        for each, layers in slim.items()
        if any(layer.dense_ms is not None for layer in layers.values())
    }
    if not timed:
        return sections
    note = "Each convolution on its own, after pruning. Together they are not the network's runtime."
    parts = "".join(
        f"<details><summary>{html.escape(each)}</summary>{_runtimes(names, times)}</details>"
        for each, times in timed.items()
    )
    return sections + section("Runtime of the layers", note, parts)


def _runtimes(names: Sequence[str], times: Sequence[tuple[float | None, float | None]]) -> str:
    """Return the milliseconds of one network's layers, the bar as long as what is left of a layer."""
    rows = []
    for name, (before, after) in zip(names, times, strict=True):
        if before is None:
            continue
        left = None if after is None or not before else min(1.0, after / before)
        said = "not measured" if after is None else "gone" if after == 0 else f"{digits(after)} ms"
        rows.append((name, left, f"{digits(before)} ms before, {said}"))
    return meter_table(("layer", "left", "", "runtime"), rows, percent=True)


def _kept_cells(layer: Layer | None) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Return (kept, all) of a layer's inputs and outputs; None for a layer that a network does not tell of."""
    if layer is None:
        return None, None
    return (layer.kept_inputs, layer.inputs), (layer.kept_outputs, layer.outputs)


def _times(layer: Layer | None) -> tuple[float | None, float | None]:
    """Return the milliseconds of a layer before and after: 0 where it vanished, None where not measured."""
    if layer is None:
        return None, None
    vanished = layer.dense_ms is not None and layer.kept_inputs == layer.kept_outputs == 0
    return layer.dense_ms, 0.0 if vanished else layer.ms
