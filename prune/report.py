"""What a pruning leaves to read: the verdict in plain words, the page, and the figures as JSON. Prints nothing."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sr.errors import InputError
from sr.figures import embedded
from sr.lr_size import size_text
from sr.measurement import Measurement
from sr.page import Point, digits, document, section, table
from sr.pruning_figures import arms_figure, arms_key, before_after_figure, kept_figure
from sr.quality import Quality

DENSE = "dense"
OURS = "fine"
# Runtimes within this share of each other, and PSNR within so many dB, are called equal.
SAME_RUNTIME = 0.03
SAME_PSNR = 0.01
# Differences of printed decimals, as 28.45 - 28.44, come out a little beyond their value.
ROUNDING = 1e-9
GAINS = ("network", "runtime (ms)", "p10 to p90", "speed-up", "PSNR (dB)", "PSNR Y (dB)", "SSIM", "masked against slim")
COUNTS = ("network", "params (k)", "multi-adds (G)", "activations (M)", "convs", "memory (MiB)", "")


@dataclass(frozen=True)
class Layer:
    """A convolution before and after: channels in the dense network, channels kept, milliseconds.

    kept_inputs and kept_outputs are 0 where it vanished; runtimes None where not measured or gone.
    """

    name: str
    inputs: int
    outputs: int
    kept_inputs: int
    kept_outputs: int
    dense_ms: float | None
    ms: float | None


@dataclass(frozen=True)
class Arm:
    """What one way of pruning came to; the one called "dense" is the network before it, without layers.

    name: begins with "fine" where it is our own way. measurement: with its quality, taken in the same rounds as all
    other arms'. difference: the largest between the outputs of the masked and of the slim network, None where there is
    no masked one.
    """

    name: str
    measurement: Measurement
    layers: tuple[Layer, ...]
    difference: float | None

    @property
    def runtime_ms(self) -> float:
        """Median runtime."""
        return self.measurement.runtime.median_ms

    @property
    def quality(self) -> Quality:
        """The quality, which an arm must have; raises InputError where it has none or a PSNR that is no number."""
        quality = self.measurement.quality
        if quality is None or not math.isfinite(quality.psnr):
            found = "none" if quality is None else quality.psnr
            raise InputError(f"a report takes arms with a finite PSNR, {self.name!r} has {found}; leave it out")
        return quality

    @property
    def psnr(self) -> float:
        """PSNR on RGB in dB."""
        return self.quality.psnr


def verdict(arms: Sequence[Arm]) -> list[str]:
    """Say in plain words what pruning came to, also where it lost.

    A line for each pruned arm against the dense network, one for each of our arms against each other way of pruning,
    and one where a runtime is not to be relied on. Raises InputError without an arm "dense" or without a PSNR.
    """
    dense, ours, others = part(arms)
    lines = [against_dense(arm, dense) for arm in arms if arm is not dense]
    lines += [against_rival(arm, rival) for arm in ours for rival in others]
    unsteady = [arm for arm in arms if not arm.measurement.runtime.reliable]
    return [*lines, unsteady_line(unsteady)] if unsteady else lines


def part(arms: Sequence[Arm]) -> tuple[Arm, list[Arm], list[Arm]]:
    """Return the dense arm, our arms and the other ways of pruning; raises InputError unless one is "dense"."""
    dense = [arm for arm in arms if arm.name == DENSE]
    if len(dense) != 1:
        raise InputError(f"a report takes exactly one arm called {DENSE!r}, got {[arm.name for arm in arms]}")
    ours = [arm for arm in arms if arm.name.startswith(OURS)]
    return dense[0], ours, [arm for arm in arms if arm is not dense[0] and arm not in ours]


def against_dense(arm: Arm, dense: Arm) -> str:
    """Say how much faster an arm is than the dense network and what that cost; 1.00 times as printed is no faster."""
    ratio = dense.runtime_ms / arm.runtime_ms
    times = f"{digits(arm.runtime_ms)} ms against {digits(dense.runtime_ms)} ms"
    quality = f"{lost(dense.psnr - arm.psnr)} ({psnr_text(arm, dense)})"
    if digits(max(ratio, 1 / ratio)) == "1.00":
        return f"not faster: {arm.name} takes as long as dense ({times}), {quality}"
    if ratio < 1:
        return f"not faster: {arm.name} takes {digits(1 / ratio)} times as long as dense ({times}), {quality}"
    return f"{arm.name}: {digits(ratio)} times faster ({times}), {quality}"


def lost(decibels: float) -> str:
    """Say what became of the PSNR, where a positive difference is a loss."""
    amount = f"{abs(decibels):.2f}"
    return "no PSNR lost" if amount == "0.00" else f"{amount} dB {'lost' if decibels > 0 else 'gained'}"


def psnr_text(arm: Arm, other: Arm) -> str:
    """Return two PSNR side by side."""
    return f"PSNR {arm.psnr:.2f} against {other.psnr:.2f}"


def against_rival(ours: Arm, rival: Arm) -> str:
    """Say which of two pruned arms is ahead at what they came to, equal within SAME_RUNTIME and SAME_PSNR."""
    slower, faster = max(ours.runtime_ms, rival.runtime_ms), min(ours.runtime_ms, rival.runtime_ms)
    gain = ours.psnr - rival.psnr
    same_runtime = slower / faster <= 1 + SAME_RUNTIME + ROUNDING
    same_psnr = abs(gain) <= SAME_PSNR + ROUNDING
    figures = f"({digits(ours.runtime_ms)} ms against {digits(rival.runtime_ms)} ms, {psnr_text(ours, rival)})"
    speed = f"{digits(slower / faster)} times {'faster' if ours.runtime_ms < rival.runtime_ms else 'slower'}"
    height = f"{abs(gain):.2f} dB {'better' if gain > 0 else 'worse'}"
    if same_runtime and same_psnr:
        return f"{ours.name} and {rival.name}: neither is ahead, equal in runtime and PSNR {figures}"
    if same_runtime:
        return f"at equal runtime {ours.name} is {height} than {rival.name} {figures}"
    if same_psnr:
        return f"at equal PSNR {ours.name} is {speed} than {rival.name} {figures}"
    if (ours.runtime_ms < rival.runtime_ms) == (gain > 0):
        wins = f"{ours.name} dominates {rival.name}" if gain > 0 else f"{ours.name} is dominated by {rival.name}"
        return f"{wins}: {speed} and {height} {figures}"
    return f"{ours.name} and {rival.name}: neither dominates, {ours.name} is {speed} but {height} {figures}"


def unsteady_line(unsteady: Sequence[Arm]) -> str:
    """Say which runtimes are not to be relied on."""
    listed = ", ".join(f"{arm.name} ({spread_text(arm.measurement)} ms)" for arm in unsteady)
    return f"not steady: the runtimes of {listed} spread widely or were disturbed; measure again on an idle device"


def spread_text(measurement: Measurement) -> str:
    """Return the 10th and 90th percentile of the runtime."""
    return f"{digits(measurement.runtime.p10_ms)} to {digits(measurement.runtime.p90_ms)}"


def page(
    arms: Sequence[Arm],
    *,
    title: str,
    command: str,
    notes: Sequence[str],
    rivals: Mapping[str, Measurement] | None = None,
) -> str:
    """Return one self-contained HTML page: the verdict, the figures, the table, and how all of it came about.

    notes: plain lines, one each. rivals: hand-designed networks measured in the same rounds, by name. Raises InputError
    where `verdict` does.
    """
    dense, ours, others = part(arms)
    rivals = rivals or {}
    figure = arms_figure(
        point_of(dense, dense),
        [point_of(arm, dense) for arm in ours],
        [point_of(arm, dense) for arm in others],
        [Point.of(name, measurement, "reference", "hand-designed") for name, measurement in rivals.items()],
    )
    rows = [(arm.name, arm.measurement, arm.difference) for arm in (dense, *ours, *others)]
    rows += [(name, measurement, None) for name, measurement in rivals.items()]
    classes = ["chosen" if name.startswith(OURS) else "" for name, _, _ in rows]
    gains = [gain_cells(*row, dense.runtime_ms) for row in rows]
    counts = [count_cells(name, measurement) for name, measurement, _ in rows]
    legend = "speed-up: dense's runtime over its own; ? not steady; masked against slim: their largest difference"
    body = (
        section("PSNR against runtime", arms_key(references=bool(rivals)), embedded(figure, first=True))
        + section("Runtime and quality", legend, table(GAINS, gains, classes))
        + section("Counts", "", table(COUNTS, counts, classes))
        + layer_sections(arms)
        + section("How this came about", "", how(command, dense, notes))
    )
    return document(title, verdict(arms), body)


def point_of(arm: Arm, dense: Arm) -> Point:
    """Return an arm as a point of the figure."""
    detail = "" if arm is dense else against_dense(arm, dense)
    return Point.of(arm.name, arm.measurement, "front", detail)


def gain_cells(name: str, measurement: Measurement, difference: float | None, dense_ms: float) -> tuple[str, ...]:
    """Return one line of the first table, in the order of GAINS."""
    runtime, quality = measurement.runtime, measurement.quality
    ssim = None if quality is None else quality.ssim
    return (
        name,
        digits(runtime.median_ms) + ("" if runtime.reliable else " ?"),
        spread_text(measurement),
        digits(dense_ms / runtime.median_ms),
        "-" if quality is None else f"{quality.psnr:.2f}",
        "-" if quality is None else f"{quality.psnr_y:.2f}",
        "-" if ssim is None else f"{ssim:.4f}",
        "" if difference is None else f"{difference:.1e}",
    )


def count_cells(name: str, measurement: Measurement) -> tuple[str, ...]:
    """Return one line of the second table, in the order of COUNTS."""
    complexity = measurement.complexity
    return (
        name,
        digits(complexity.params / 1e3),
        digits(complexity.multi_adds / 1e9),
        digits(complexity.activations / 1e6),
        str(complexity.convs),
        digits(measurement.memory / 2**20),
        "",  # the last column is for words, set to the left
    )


def layer_sections(arms: Sequence[Arm]) -> str:
    """Return what became of each layer, as HTML: channels kept, and runtimes where any were measured."""
    slim = {arm.name: {layer.name: layer for layer in arm.layers} for arm in arms if arm.layers}
    names = list(dict.fromkeys(name for layers in slim.values() for name in layers))
    if not names:
        return ""
    columns = [(arm, side) for arm in slim for side in ("inputs", "outputs")]
    kept = [[cell for layers in slim.values() for cell in kept_cells(layers.get(name))] for name in names]
    note = "Convolutions in forward order; kept channels of all, dark where gone."
    sections = section("Channels kept", note, embedded(kept_figure(names, columns, kept)))
    timed = {
        arm: [times(layers.get(name)) for name in names]
        for arm, layers in slim.items()
        if any(layer.dense_ms is not None for layer in layers.values())
    }
    if not timed:
        return sections
    note = "Each convolution on its own: before (pale) and after. Together they are not the network's runtime."
    return sections + section("Runtime of the layers", note, embedded(before_after_figure(names, timed)))


def kept_cells(layer: Layer | None) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Return (kept, all) of a layer's inputs and outputs; None for a layer that an arm does not tell of."""
    if layer is None:
        return None, None
    return (layer.kept_inputs, layer.inputs), (layer.kept_outputs, layer.outputs)


def times(layer: Layer | None) -> tuple[float | None, float | None]:
    """Return the milliseconds of a layer before and after: 0 where it vanished, None where not measured."""
    if layer is None:
        return None, None
    vanished = layer.dense_ms is not None and layer.kept_inputs == layer.kept_outputs == 0
    return layer.dense_ms, 0.0 if vanished else layer.ms


def how(command: str, dense: Arm, notes: Sequence[str]) -> str:
    """Return the command, the conditions of the measurement and the notes, as HTML."""
    place = dense.measurement.conditions
    where = (
        f"{place.device}, {place.driver}, {place.threads} threads, {place.versions}; runtime and memory for one "
        f"{size_text(place.lr_size)} picture in {place.dtype}, network only, all networks in turn in the same rounds; "
        f"quality over {dense.quality.pictures} pictures."
    )
    lines = "".join(f"<p>{html.escape(line)}</p>\n" for line in (where, *notes))
    return f"<p><code>{html.escape(command)}</code></p>\n{lines}"


def to_json(arms: Sequence[Arm]) -> dict[str, Any]:
    """Return the verdict and every figure as JSON values; raises InputError where `verdict` does."""
    dense, _, _ = part(arms)
    return {
        "verdict": verdict(arms),
        "arms": [
            {
                "name": arm.name,
                "speed_up": dense.runtime_ms / arm.runtime_ms,
                "psnr_lost": dense.psnr - arm.psnr,
                "difference": arm.difference,
                "measurement": arm.measurement.to_json(),
                "layers": [asdict(layer) for layer in arm.layers],
            }
            for arm in arms
        ],
    }
