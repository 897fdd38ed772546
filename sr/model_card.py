"""The card beside an export: what the network is, from which pictures, how good and how fast, and how to run it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr.checkpoint import Checkpoint, load
from sr.data.manifest import PICTURES
from sr.demo_page import write_demo
from sr.deployment import deploy
from sr.errors import InputError
from sr.export_config import ExportConfig
from sr.exporting import Exported
from sr.files import write_text
from sr.loading_lines import LOADING, in_a_browser, in_cpp, in_python
from sr.lr_size import LrSize, size_text
from sr.measure.complexity import Complexity, count

CARD = "MODEL.md"
MEASUREMENT = "measurement.json"
# Beside which pictures that scikit-image carries say what their licences are.
_EMBEDDED = ("skimage", "data")
_EMBEDDED_LICENCE = "pictures inside scikit-image: each has its own, which the README.txt beside them names"
# What counts are of where nothing was measured.
_LR_SIZE: LrSize = (256, 256)
# What every export is in.
_DTYPE = "float32"
# A longer description, such as that of a pruned network, is in the checkpoint alone.
_MOST_CHARACTERS = 1500
_ORIGINS = {"searched": "found by a search", "baseline": "designed by hand", "pruned": "pruned"}


@dataclass(frozen=True)
class Facts:
    """What a card is made of.

    Attributes:
        checkpoint: The network.
        counts: What it costs, deployed, for a picture of `lr_size`.
        lr_size: Height and width of that picture: the one that it was measured on, where it was.
        measured: `measurement.json` beside the checkpoint, JSON values; empty where there is none.
        pictures: `pictures.json` of the run, JSON values; empty where there is none.
        licence: That of the pictures, as given; empty where it was not.
        exported: The files.
        file_size: Height and width of the one picture that they take; None for any.
    """

    checkpoint: Checkpoint
    counts: Complexity
    lr_size: LrSize
    measured: Mapping[str, Any]
    pictures: Mapping[str, Any]
    licence: str
    exported: Sequence[Exported]
    file_size: LrSize | None


def write_beside(
    config: ExportConfig, exported: Sequence[Exported], measured: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write the card of an export beside its files, and for an ONNX file the demo page; return where they are.

    Args:
        config: What was exported.
        exported: The files.
        measured: What `measurement.json` would hold of a network that has none beside it; None for what is there.
            `judged_on` in it says on what its quality was found, where that is not whole validation pictures.

    Raises:
        InputError: Where what lies beside the checkpoint cannot be read, or a file cannot be written.
    """
    path, facts = config.out / CARD, _gathered(config, exported, measured)
    write_text(path, card(facts))
    shown = [each.path.name for each in exported if each.path.suffix == ".onnx"]
    scale = facts.checkpoint.description.scale
    return [path, *(write_demo(config.out, name, config.lr_size, scale) for name in shown)]


def _gathered(config: ExportConfig, exported: Sequence[Exported], measured: Mapping[str, Any] | None) -> Facts:
    """Read what is known of a checkpoint: in it, beside it, and in the folder of its run."""
    checkpoint, beside = load(config.network), config.network.parent
    measured = _read(beside / MEASUREMENT) if measured is None else measured
    size = tuple(measured["conditions"]["lr_size"]) if measured else _LR_SIZE
    counts = count(deploy(checkpoint.build()), size)
    pictures = _read(beside.parent / PICTURES)
    return Facts(checkpoint, counts, size, measured, pictures, config.data_licence, exported, config.lr_size)


def _read(path: Path) -> dict[str, Any]:
    """Return a file's JSON values, empty where there is no file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}; it was written by another program, or move it away") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no object; it was written by another program: move it away")
    return values


def card(facts: Facts) -> str:
    """Return the card as Markdown."""
    parts = [
        f"# x{facts.checkpoint.description.scale} super-resolution network\n\n{_what(facts)}",
        f"## Quality\n\n{_quality(facts)}{_of_other_files(facts.measured)}",
        f"## Runtime\n\n{_runtime(facts.measured)}{_of_other_files(facts.measured)}",
        f"## Pictures\n\n{_pictures(facts)}",
        f"## Files\n\n{_files(facts)}",
        *_how_to_run(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _what(facts: Facts) -> str:
    """Say what the network is, what it takes and gives, and what it costs by counting."""
    description, counts = facts.checkpoint.description, facts.counts
    scale = description.scale
    text = json.dumps(dict(description.config))
    recipe, made = facts.checkpoint.recipe, facts.checkpoint.provenance
    lines = [
        f"A network {_ORIGINS.get(description.family, description.family)}. It takes RGB pictures, float32 in [0, 1], "
        f"(n, 3, h, w), and gives (n, 3, {scale}h, {scale}w); clip the result to [0, 1].",
        f"- parameters: {counts.params:,}",
        f"- multiply-adds: {counts.multi_adds / 1e9:,.3f} G, activations: {counts.activations / 1e6:,.3f} M, "
        f"convolutions: {counts.convs}, for one LR picture of {size_text(facts.lr_size)}, deployed",
    ]
    if "steps" in recipe:
        # The recipe of a candidate is that of its last rung alone.
        steps = made["ladder"][-1] if made.get("ladder") else recipe["steps"]
        lines.append(f"- trained for {steps:,} steps")
    if "stages" in recipe:
        lines.append(f"- trained for {sum(stage['steps'] for stage in recipe['stages']):,} steps")
    lines.append(f"- made on {made.get('date', 'a date that is not known')}")
    if len(text) <= _MOST_CHARACTERS:
        lines.append(f"- description: `{text}`")
    return f"{lines[0]}\n\n" + "\n".join(lines[1:])


def _quality(facts: Facts) -> str:
    """Say how good it is beside bicubic interpolation."""
    measured, border = facts.measured, facts.checkpoint.description.scale
    rows = [(name, measured.get(key)) for name, key in (("network", "quality"), ("bicubic interpolation", "bicubic"))]
    found = [(name, quality) for name, quality in rows if quality]
    if not found:
        return "Not known for this file; `python -m sr.evaluate` measures it."
    table = [
        f"| {name} | {_decimals(each['psnr'], 2)} | {_decimals(each['psnr_y'], 2)} | {_decimals(each['ssim'], 4)} |"
        for name, each in found
    ]
    judged_on = measured.get("judged_on", f"{found[0][1]['pictures']} validation pictures")
    return "\n".join([
        f"On {judged_on}, 8 bits, without a border of {border} pixels:", "",
        "| | PSNR, RGB (dB) | PSNR, Y (dB) | SSIM |", "|---|---|---|---|", *table, "",
        "The network was chosen by pictures of this set, which flatters it there.",
    ])  # fmt: skip


def _of_other_files(measured: Mapping[str, Any]) -> str:
    """Say it where what was measured is another file than those here, which are in float32."""
    dtype = measured["conditions"]["dtype"] if measured else _DTYPE
    return "" if dtype == _DTYPE else f"\n\nThis was measured in {dtype}; the files here are in {_DTYPE}."


def _decimals(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"


def _runtime(measured: Mapping[str, Any]) -> str:
    """Say how long it takes in every engine, and on what that was measured."""
    if not measured:
        return "Not known for this file; `paretosr.measure` measures it on your device."
    conditions = measured["conditions"]
    engines = measured.get("engines") or {conditions["engine"]: measured["runtime"]}
    table = [
        f"| {name} | {each['median_ms']:.1f} | {each['p10_ms']:.1f} to {each['p90_ms']:.1f} | {each['runs']} | "
        f"{each['precision']} | {'yes' if each['reliable'] else 'no'} |"
        for name, each in engines.items()
    ]
    height, width = conditions["lr_size"]
    return "\n".join([
        f"Milliseconds for one LR picture of {width}x{height}, the network alone:", "",
        "| engine | median | p10 to p90 | runs | precision | reliable |", "|---|---|---|---|---|---|", *table, "",
        f"On {conditions['device']}, {conditions['threads']} threads; {conditions['driver']}; "
        f"{conditions['versions']}. On another device it is another.",
    ])  # fmt: skip


def _pictures(facts: Facts) -> str:
    """Say from which pictures it was made, and under which licence those stand."""
    lines = []
    embedded = False
    for part, does in (("train", "trained on"), ("val", "validated on")):
        used = facts.pictures.get(part, {}).get("used", [])
        if not used:
            continue
        folders = sorted({Path(each["hr"]).parent for each in used})
        embedded = embedded or any(folder.parts[-2:] == _EMBEDDED for folder in folders)
        named = ", ".join(f"`{'/'.join(folder.parts[-2:])}`" for folder in folders[:4])
        more = f" and {len(folders) - 4} more folders" if len(folders) > 4 else ""
        fingerprint = str(facts.pictures[part]["fingerprint"])[:16]
        lines.append(f"- {does} {len(used)} pictures of {named}{more} (fingerprint {fingerprint})")
    if not lines:
        known = facts.checkpoint.provenance.get("data") or facts.checkpoint.provenance.get("source")
        lines.append("- which pictures is not known for this file" + (f": {known}" if known else ""))
    licence = facts.licence or (_EMBEDDED_LICENCE if embedded else "not given (`--data-licence` of the export)")
    return "\n".join([*lines, f"- licence of the pictures: {licence}"])


def _files(facts: Facts) -> str:
    """List the files with how they are loaded."""
    rows = []
    for each in facts.exported:
        load_by = LOADING[each.path.suffix].replace("FILE", each.path.name).replace("STEM", each.path.stem)
        rows.append(f"| `{each.path.name}` | {load_by} | {each.difference:.1e} at {each.compared} |")
    return "\n".join(["| file | load it by | differs from PyTorch by at most |", "|---|---|---|", *rows])


def _how_to_run(facts: Facts) -> list[str]:
    """Return the lines that run the ONNX file in three places; nothing without one."""
    name = next((each.path.name for each in facts.exported if each.path.suffix == ".onnx"), None)
    if name is None:
        return []
    return [
        f"## Run it in Python\n\n```python\n{in_python(name, facts.file_size)}```",
        f"## Run it in C++\n\n```cpp\n{in_cpp(name, facts.file_size)}```",
        "## Run it in a browser\n\n`demo/index.html` upscales a dropped picture, and says what it needs. The lines of "
        f"your own page:\n\n```html\n{in_a_browser(name, facts.file_size)}```",
    ]
