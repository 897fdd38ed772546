"""What a pruning leaves to read: the page, and the figures as JSON."""

import html
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prune.config import PER_LAYER
from prune.outcomes import DENSE, Outcome, Shipped, parted
from prune.report_layers import layer_sections
from prune.verdict import against_dense, spread_text, verdict
from sr.lr_size import size_text
from sr.measure.measurement import Measurement
from sr.report.charts import BARS, PSNR, RUNTIME, Look, chart, csv_button, dataset, point_values
from sr.report.page import Point, digits, document, section, table
from sr.report.samples import OURS, Sample
from sr.report.slider import slider
from sr.report.tables import facts_list

_GAINS = (
    "network",
    "runtime (ms)",
    "p10 to p90",
    "speed-up",
    "PSNR (dB)",
    "PSNR Y (dB)",
    "SSIM",
    "masked against slim",
)
# What the pictures are called.
_SAMPLES = {DENSE: "before pruning", OURS: "pruned"}
_LOOKS = {
    "ours": Look("ours", "star", "green", 10, 3, named=True, strong=True, front=True),
    "other": Look("other pruning", "circle", "blue", 5.5, 2, named=True, front=True),
    "dense": Look("before pruning", "square", "ink", 5.5, 1, named=True, strong=True, front=True),
    "reference": Look("designed by hand", "diamond", "vermilion", 6, 0, counts=False, named=True, far=True),
}
_FIGURES = (
    "Speed-up: how many times as fast as the network before pruning; ? marks a runtime that was not steady. Masked "
    "against slim: the most that any value of a picture changed when channels that were switched off were cut out."
)
# What the networks are called, and what they are.
_NAMES = {
    DENSE: "the network before pruning, trained on for as long as the pruned ones",
    PER_LAYER: "our own method, which decides for both sides of every convolution by itself",
    "group": "channels that depend on each other (as torch-pruning finds them) stay or go together, by the same scores",
    "magnitude": "torch-pruning's own choice: what has the smallest weights goes",
}
_COUNTS = ("network", "params (k)", "multi-adds (G)", "activations (M)", "convs", "memory (MiB)", "")


def page(
    outcomes: Sequence[Outcome],
    *,
    title: str,
    command: str,
    notes: Sequence[str],
    rivals: Mapping[str, Measurement] | None = None,
    shipped: Shipped | None = None,
    samples: Sequence[Sample] = (),
    paths: Mapping[str, Path] | None = None,
) -> str:
    """Return one self-contained HTML page: the verdict, the figures, the table, and how all of it came about.

    Args:
        outcomes: Measured in the same rounds; one is "dense".
        title: The page's.
        command: How it was asked for.
        notes: Plain lines, one each.
        rivals: Hand-designed networks measured in the same rounds, by name.
        shipped: The file of the best network.
        samples: Crops of validation pictures, nothing where none were kept.
        paths: By the name of an outcome its checkpoint, of which the page says how it is exported.

    Raises:
        InputError: Where `verdict` does.
    """
    dense, ours, others = parted(outcomes)
    rivals = rivals or {}
    exports = {name: _export(path) for name, path in (paths or {}).items()}
    points = [
        point_values(_point_of(each, dense), kind=kind, command=exports.get(each.name))
        for kind, same in (("dense", [dense]), ("ours", ours), ("other", others))
        for each in same
    ]
    points += [point_values(Point.of(name, each, "reference")) for name, each in rivals.items()]
    plot = dataset("networks", points, _LOOKS) + chart(
        "PSNR against runtime of the pruned networks", "networks", RUNTIME, PSNR, bars=True, front=True, opens=True,
        notes=[BARS, "line: the best PSNR up to a runtime"],
    )  # fmt: skip
    rows = [(each.name, each.measurement, each.difference) for each in (dense, *ours, *others)]
    rows += [(name, measurement, None) for name, measurement in rivals.items()]
    classes = ["chosen" if name.startswith(PER_LAYER) else "" for name, _, _ in rows]
    gains = [_gain_cells(*row, dense.runtime_ms) for row in rows]
    counts = [_count_cells(name, measurement) for name, measurement, _ in rows]
    best = _best([*ours, *others])
    body = (
        _first_screen(dense, best, samples)
        + section("What came out", "", _listed(verdict(outcomes, shipped)) + _command(best, exports))
        + section("PSNR against runtime", "Press a network to see its figures.", plot + csv_button("networks"))
        + section("Runtime and quality", _FIGURES, table(_GAINS, gains, classes) + _compared(outcomes))
        + section("Counts", "", table(_COUNTS, counts, classes))
        + layer_sections(outcomes)
        + section("How this came about", "", _how(command, dense, notes))
    )
    place = dense.measurement.conditions
    kicker = f"A pruning by ParetoSR: {place.device}, {place.engine}, {place.dtype}"
    heading, lead = (title, "") if best is None else _first_words(title, dense, best)
    return document(heading, [], body, kicker=kicker, lead=lead, draws=True)


def _best(pruned: Sequence[Outcome]) -> Outcome | None:
    """Return the network that is shipped; None where there is none."""
    return max(pruned, key=lambda each: (each.is_ours, each.psnr), default=None)


def _first_screen(dense: Outcome, best: Outcome | None, samples: Sequence[Sample]) -> str:
    """Return the pictures and the figures that matter, as HTML; nothing where there are neither."""
    shown = "" if best is None else facts_list(_facts(dense, best))
    if samples:
        return f"<section>{slider(samples, aside=shown, words=_SAMPLES, left=DENSE)}</section>\n"
    return shown and f"<section>{shown}</section>\n"


def _export(path: Path) -> str:
    """Return the command that exports the network of a checkpoint."""
    return f"python -m sr.export {shlex.quote(str(path))} --format onnx"


def _command(best: Outcome | None, exports: Mapping[str, str]) -> str:
    """Return the command that exports what is shipped, to be copied, as HTML; empty where it is not known."""
    if best is None or best.name not in exports:
        return ""
    button = f'<button type="button" data-copy="{html.escape(exports[best.name])}">Copy</button>'
    return f'<div class="tools">{button}</div>\n'


def _facts(dense: Outcome, best: Outcome) -> list[tuple[str, str]]:
    """Return the figures of the best network that matter most, each with what it is and was before."""
    before, after = dense.measurement.complexity, best.measurement.complexity
    return [
        (f"{digits(best.runtime_ms)} ms", f"runtime; {digits(dense.runtime_ms)} before"),
        (f"{best.psnr:.2f} dB", f"PSNR over RGB; {dense.psnr:.2f} before"),
        (f"{digits(after.multi_adds / 1e9)} G", f"multiply-adds; {digits(before.multi_adds / 1e9)} before"),
        (f"{digits(after.params / 1e3)} k", f"parameters; {digits(before.params / 1e3)} before"),
    ]


def _first_words(title: str, dense: Outcome, best: Outcome) -> tuple[str, str]:
    """Return the heading and the first sentence: how much faster the best network is, and what that cost."""
    times = digits(dense.runtime_ms / best.runtime_ms)
    speed = f"{times} times as fast" if dense.runtime_ms > best.runtime_ms and times != "1.00" else "no faster"
    size = size_text(dense.measurement.conditions.lr_size)
    runtime, gain = best.measurement.runtime, f"{best.psnr - dense.psnr:+.2f}"
    cost = "no PSNR lost" if float(gain) == 0 else f"{gain}\N{NO-BREAK SPACE}dB"
    return (
        f"{title}: {speed}, {cost}",
        f"The network before takes {digits(dense.runtime_ms)} ms for a {size} picture and comes to {dense.psnr:.2f} dB "
        f"on the validation pictures; the pruned one takes {digits(runtime.median_ms)} ms, nine runs of ten within "
        f"{digits(runtime.p90_ms)}, and comes to {best.psnr:.2f} dB.",
    )


def _compared(outcomes: Sequence[Outcome]) -> str:
    """Return what the names of the networks stand for, as HTML."""
    named = [
        f"{name}: {words}"
        for name, words in _NAMES.items()
        if any(each.name.partition(" ")[0] == name for each in outcomes)
    ]
    return _listed(named)


def _listed(lines: Sequence[str]) -> str:
    """Return lines as a list, as HTML."""
    return f'<ul class="plain">{"".join(f"<li>{html.escape(line)}</li>" for line in lines)}</ul>\n'


def _point_of(each: Outcome, dense: Outcome) -> Point:
    """Return an outcome as a point of the figure."""
    detail = "" if each is dense else against_dense(each, dense)
    return Point.of(each.name, each.measurement, "front", detail)


def _gain_cells(name: str, measurement: Measurement, difference: float | None, dense_ms: float) -> tuple[str, ...]:
    """Return one line of the first table, in the order of _GAINS."""
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


def _count_cells(name: str, measurement: Measurement) -> tuple[str, ...]:
    """Return one line of the second table, in the order of _COUNTS."""
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


def _how(command: str, dense: Outcome, notes: Sequence[str]) -> str:
    """Return the command, the conditions of the measurement and the notes, as HTML."""
    place, precision = dense.measurement.conditions, dense.measurement.runtime.precision
    where = (
        f"{place.device}, {place.driver}, {place.threads} threads, {place.versions}; runtime and memory for one "
        f"{size_text(place.lr_size)} picture in {place.engine}, {precision}, network only, all networks in turn in "
        "the same rounds; "
        f"quality over {dense.quality.pictures} pictures."
    )
    lines = "".join(f"<p>{html.escape(line)}</p>\n" for line in (where, *notes))
    return f"<p><code>{html.escape(command)}</code></p>\n{lines}"


def to_json(outcomes: Sequence[Outcome], shipped: Shipped | None = None) -> dict[str, Any]:
    """Return the verdict and every figure as JSON values; raises InputError where `verdict` does."""
    dense, _, _ = parted(outcomes)
    return {
        "verdict": verdict(outcomes, shipped),
        "engine": dense.measurement.conditions.engine,
        "precision": dense.measurement.runtime.precision,
        "shipped": None if shipped is None else asdict(shipped),
        "outcomes": [
            {
                "name": each.name,
                "speed_up": dense.runtime_ms / each.runtime_ms,
                "psnr_lost": dense.psnr - each.psnr,
                "difference": each.difference,
                "reached": None if each.reached is None else asdict(each.reached),
                "measurement": each.measurement.to_json(),
                "layers": [asdict(layer) for layer in each.layers],
            }
            for each in outcomes
        ],
    }
