"""A network in 8 bits beside itself in float: fine-tuned where asked, what stays in float chosen by measuring."""

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sr.checkpoint import load, load_network, provenance
from sr.data.pairs import Pairs, fitting_patch
from sr.data.sources import load_pairs
from sr.deployment import deploy
from sr.files import make_folder, write_bytes, write_json
from sr.measure.engine_choice import with_engine
from sr.measure.engines.network import open_network
from sr.measure.latency import Protocol, Runtime, Subject, measure_subjects
from sr.measure.quality import evaluate
from sr.measure.target import Target, parse_device
from sr.onnx_graph import onnx_graph
from sr.progress import Message, Report, no_report
from sr.quantization.aware import fine_tuned, recipe_of
from sr.quantization.calibration import calibration_pictures
from sr.quantization.config import QuantizeConfig
from sr.quantization.files import Files, files_of, write_files
from sr.quantization.parts import KEEPS
from sr.quantization.processor import has_dot_products

# Of patches to fine-tune on, and of pictures to judge by.
_PATCH, _SMALLEST_VALIDATION_SIDE = 32, 16
# Runtimes nearer than this are the same.
_SAME_RUNTIME = 1.03
_NAME = "network-int8"


@dataclass(frozen=True)
class Candidate:
    """One form of a network, in one engine.

    Attributes:
        keep: What stays in float, a key of `KEEPS`; None for all of it.
        fine_tuned: Whether its weights are tuned for 8 bits.
        psnr: Of the file's own output on the validation pictures, over RGB, in dB.
        runtime: Of the file of fixed size.
    """

    keep: str | None
    fine_tuned: bool
    psnr: float
    runtime: Runtime


@dataclass(frozen=True)
class Quantized:
    """A network in 8 bits, and what that lost and gained.

    Attributes:
        float_network: Before.
        chosen: After.
        candidates: What it was chosen among.
        target: What it was quantised for.
        files: Where it lies.
        weight_bits: How many bits a weight takes: 7 for onnxruntime where products of 8 would saturate.
    """

    float_network: Candidate
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    target: Target
    files: Files
    weight_bits: int

    @property
    def lost_db(self) -> float:
        """How many dB of PSNR it lost."""
        return self.float_network.psnr - self.chosen.psnr

    @property
    def runtime_ratio(self) -> float:
        """Its runtime over the float network's, of the same rounds."""
        return self.chosen.runtime.median_ms / self.float_network.runtime.median_ms

    @property
    def faster(self) -> bool:
        """Whether it is faster than the float network, beyond what two measurements of one network differ by."""
        return self.runtime_ratio * _SAME_RUNTIME < 1

    @property
    def why_not_faster(self) -> str:
        """Why, as far as the processor tells."""
        took = f"{self.chosen.runtime.median_ms:.2f} ms in 8 bits, {self.float_network.runtime.median_ms:.2f} in float"
        if has_dot_products():
            return f"{took}; the network is too small or mostly made of what {self.target.engine} runs in float"
        return f"{took}; this processor is not known to add products of 8 bits up in one instruction (VNNI, AMX)"

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON holds them."""
        return {
            "engine": self.target.engine, "lost_db": self.lost_db, "runtime_ratio": self.runtime_ratio,
            "weight_bits": self.weight_bits, "files": [self.files.free.name, self.files.fixed.name],
            "float": asdict(self.float_network), "chosen": asdict(self.chosen),
            "candidates": [asdict(each) for each in self.candidates],
            "conditions": asdict(self.target.conditions), "provenance": provenance(),
        }  # fmt: skip


def quantize_file(config: QuantizeConfig, *, protocol: Protocol = Protocol(), report: Report = no_report) -> Quantized:
    """Quantise the network of a checkpoint and write its files and their figures.

    Args:
        config: Which network, on what, for which engine.
        protocol: How it is timed.
        report: Is told what goes on.

    Returns:
        What was lost and gained.

    Raises:
        InputError: Where the checkpoint or the pictures cannot be read, the engine cannot run the network in 8 bits,
            or a file cannot be written.
    """
    make_folder(config.out)
    target = target_of(config, report)
    network, scale = deploy(load_network(config.network)), load(config.network).description.scale
    train = load_pairs(config.data, "train", minimum_lr_side=_PATCH, report=report, scale=scale)
    val = load_pairs(config.val, "val", minimum_lr_side=_SMALLEST_VALIDATION_SIDE, report=report, scale=scale)
    quantized = quantize(network, target, train, val, config, protocol=protocol, report=report)
    write_json(config.out / "quantization.json", quantized.to_json())
    return quantized


def target_of(config: QuantizeConfig, report: Report = no_report) -> Target:
    """Return what a network is quantised for: this CPU, in the engine that is asked for or runs 8 bits fastest.

    Raises:
        InputError: Where that engine, or what quantises for it, is not installed.
    """
    asked = Target(parse_device("cpu"), config.lr_size, "int8", "onnxruntime")
    return with_engine(asked, config.engine, report=report)


def quantize(
    network: nn.Module,
    target: Target,
    train: Pairs,
    val: Pairs,
    config: QuantizeConfig,
    *,
    protocol: Protocol = Protocol(),
    report: Report = no_report,
) -> Quantized:
    """Quantise a network that is at hand; otherwise as `quantize_file`.

    Args:
        network: Deployed, on the CPU; left as it is.
        target: Of dtype int8, in an engine that has a quantiser.
        train: What the ranges are read off and fine-tuning learns from.
        val: What the loss is judged on.
        config: How much is tuned, what may be lost, and where the files go.
        protocol: How it is timed.
        report: Is told what goes on.
    """
    pictures = calibration_pictures(train, config.pictures)
    weight_bits = 8 if target.engine != "onnxruntime" or has_dot_products() else 7
    networks = {False: network}
    if config.fine_tune_steps:
        recipe = recipe_of(
            config.fine_tune_steps, learning_rate=config.learning_rate, distillation=config.distillation,
            seed=config.seed, patch=fitting_patch(train, _PATCH),
        )  # fmt: skip
        networks[True] = fine_tuned(
            copy.deepcopy(network), recipe, train, pictures, target.device, weight_bits=weight_bits, report=report
        ).network
    with tempfile.TemporaryDirectory() as folder:
        forms = _written(networks, target, Path(folder), pictures, train.scale)
        float_network, *candidates = _measured(forms, target, val, protocol, report)
        chosen = choose(candidates, float_network.psnr - config.max_loss_db)
        files = _copied(forms[chosen.keep, chosen.fine_tuned], target, config.out / _NAME)
    return Quantized(float_network, chosen, tuple(candidates), target, files, weight_bits)


def choose(candidates: Sequence[Candidate], least_psnr: float) -> Candidate:
    """Return the candidate to ship.

    Args:
        candidates: In 8 bits, at least one.
        least_psnr: What it should have, in dB.

    Returns:
        Of those that have it the fastest, and of those as fast the best; the best of all where none has it.
    """
    good = [each for each in candidates if each.psnr >= least_psnr]
    if not good:
        return max(candidates, key=lambda each: each.psnr)
    fastest = min(each.runtime.median_ms for each in good)
    as_fast = [each for each in good if each.runtime.median_ms <= _SAME_RUNTIME * fastest]
    return max(as_fast, key=lambda each: each.psnr)


# What stays in float, None for all of it, and whether the weights are tuned.
_Form = tuple[str | None, bool]


def _written(
    networks: Mapping[bool, nn.Module], target: Target, folder: Path, pictures: Sequence[Tensor], scale: int
) -> dict[_Form, Files]:
    """Write the float network, which comes first, and every 8-bit form; networks: by whether they are tuned."""
    graphs = {tuned: onnx_graph(network) for tuned, network in networks.items()}
    forms: dict[_Form, Files] = {
        (None, False): write_files(graphs[False], target.engine, folder / "float", target.lr_size, scale=scale)
    }
    for tuned, graph in graphs.items():
        for keep in KEEPS:
            stem = folder / f"{keep}-{tuned}"
            forms[keep, tuned] = write_files(
                graph, target.engine, stem, target.lr_size, pictures=pictures, keep=keep, scale=scale
            )
    return forms


def _measured(
    forms: Mapping[_Form, Files], target: Target, val: Pairs, protocol: Protocol, report: Report
) -> list[Candidate]:
    """Judge every form, and time in the same rounds each that other weights do not make as fast as another."""
    targets = {form: replace(target, dtype="float32") if form[0] is None else target for form in forms}
    subjects = {str(form[0]): Subject(files.fixed, targets[form]) for form, files in forms.items() if not form[1]}
    runtimes = measure_subjects(subjects, protocol)
    candidates = []
    for form, files in forms.items():
        psnr = evaluate(open_network(files.free, targets[form]), val, with_ssim=False).psnr
        candidates.append(Candidate(*form, psnr, runtimes[str(form[0])]))
        report(Message(describe(candidates[-1])))
    return candidates


def describe(candidate: Candidate) -> str:
    """Return what a form is and came to, in a line."""
    if candidate.keep is None:
        what = "float32"
    else:
        kept = "all of it" if candidate.keep == "nothing" else f"all but its {_KEPT[candidate.keep]}"
        what = f"8 bits, {kept}{', fine-tuned' if candidate.fine_tuned else ''}"
    runtime = candidate.runtime
    return f"{what}: {candidate.psnr:.3f} dB, {runtime.median_ms:.2f} ms{'' if runtime.reliable else ' (unreliable)'}"


_KEPT = {"skip": "skip and sum", "ends": "first and last layer, skip and sum"}


def _copied(files: Files, target: Target, stem: Path) -> Files:
    """Copy files, with the weights that IR has beside it, under another name."""
    copies = files_of(target.engine, stem, target.lr_size)
    for path, copied in ((files.free, copies.free), (files.fixed, copies.fixed)):
        # First what the other one needs to be whole.
        for ending in (".bin", path.suffix):
            if path.with_suffix(ending).is_file():
                write_bytes(copied.with_suffix(ending), path.with_suffix(ending).read_bytes())
    return copies
