"""Training speed against its goal: `sr.training.fit.fit` beside the loop that one would write without it.

    python benchmarks/training_speed.py --data PHOTOS --val Set5 --json training-speed.json

Both train one network (18 convolutions, 28 channels) from the same weights with the same recipe on the same patches in
the same order, in turns, each round from another seed. The plain loop is in fp32 and NCHW, and two workers decode the
files of every patch. Its first steps are not counted, those of `fit` are. Even fp32 in another memory format ends some
hundredths of a dB elsewhere, up or down: of the PSNR the mean difference counts, beside its standard error. It exits
with 0 whether the goals are met or not: this is a measurement, not a test.
"""

import copy
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from machine_paths import shown_command
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from search_spaces.architecture import Architecture, Block
from search_spaces.network import build, untrained
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.data.pairs import Pairs, on_device
from sr.data.sources import load_pairs, sources
from sr.errors import InputError
from sr.files import write_json
from sr.lr_size import SMALLEST_SIDE
from sr.measure.complexity import count
from sr.measure.device_lock import training_on
from sr.measure.quality import evaluate
from sr.measure.target import Target, parse_device
from sr.measure.timing import best_ms
from sr.memory_format import MEMORY_FORMATS
from sr.progress import no_report
from sr.seeds import generator
from sr.terminal import Terminal, say
from sr.training.autotune import autotune
from sr.training.fit import fit
from sr.training.losses import LOSSES
from sr.training.recipe import PRECISIONS, Recipe

ARCHITECTURE = Architecture(num_feat=28, blocks=(Block("residual_leaky"),) * 8, upsampler="one_step")
# How many times the plain loop's speed, by the kind of device, and how many dB may be lost.
RATIO, MOST_LOST = {"cpu": 1.8, "cuda": 5.0}, 0.02
WORKERS = 2
# More than the batches that the workers decode ahead before the first step.
WARM_UP_STEPS = 8
# The convolution whose speed counts as the device's peak: wide enough to fill it.
PEAK_CHANNELS, PEAK_BATCH, PEAK_SIDE = {"cpu": 128, "cuda": 1024}, 16, 32


@dataclass(frozen=True)
class Training:
    """One training: its steps a second, and the PSNR in dB (RGB and Y) that it led to."""

    steps_per_second: float
    psnr: float
    psnr_y: float

    @property
    def summary(self) -> str:
        """Both as one text."""
        return f"{self.steps_per_second:.2f} steps a second to {self.psnr:.3f} dB"


@dataclass(frozen=True)
class Comparison:
    """`fit` over the plain loop: median ratio of speeds, mean differences of PSNR in dB; no error of a single round."""

    ratio: float
    psnr_difference: float
    psnr_difference_error: float | None
    psnr_y_difference: float


@dataclass(frozen=True)
class Config:
    """What both ways train; rounds: trainings by either, each from another seed."""

    device: torch.device
    data: Path | None
    val: Path | None
    seed: int
    steps: int
    batch: int
    patch: int
    rounds: int
    json: Path | None

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "patch", "rounds"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} must be at least 1, got {getattr(self, name)}")
        if self.patch < SMALLEST_SIDE:
            raise InputError(f"--patch must be at least {SMALLEST_SIDE}, got {self.patch}")
        if self.device.type not in RATIO:
            raise InputError(f"--device must be one with a goal, {', '.join(RATIO)}, got {self.device}")
        if self.steps < 2 * WARM_UP_STEPS:
            raise InputError(f"--steps must be at least {2 * WARM_UP_STEPS}, got {self.steps}")


def main(argv: list[str] | None = None) -> int:
    """Train both ways and print what came out."""
    config, show = parse(argv), Terminal()
    recipe = Recipe(steps=config.steps, batch=config.batch, patch=config.patch, seed=config.seed)
    train = load_pairs(config.data, "train", minimum_lr_side=config.patch, report=show)
    val = load_pairs(config.val, "val", report=show)
    began = time.perf_counter()
    autotuned = autotune(build(ARCHITECTURE), recipe, on_device(train, config.device), config.device)
    autotune_seconds = time.perf_counter() - began
    say(f"fit trains in {autotuned.precision}, {autotuned.memory_format}")
    with tempfile.TemporaryDirectory() as folder:
        plain, fast = rounds(autotuned, train, val, picture_files(config.data, train, Path(folder)), config)
    compared = compare(plain, fast)
    floor = floor_seconds(autotuned, config.device)
    met = compared.ratio >= RATIO[config.device.type] and compared.psnr_difference >= -MOST_LOST
    say_result(compared, floor, statistics.median(each.steps_per_second for each in fast), config.device)
    if config.json is not None:
        place = Target(config.device, (config.patch, config.patch), autotuned.precision).conditions
        write_json(config.json, {
            **asdict(compared), "met": met, "plain": [asdict(each) for each in plain],
            "fit": [asdict(each) for each in fast], "autotune_seconds": autotune_seconds,
            "floor_steps_per_second": 1 / floor, "recipe": asdict(autotuned), "architecture": ARCHITECTURE.to_json(),
            "device": place.device, "threads": place.threads, "versions": place.versions, "date": provenance()["date"],
            "command": shown_command("training_speed.py", argv),
            "conditions": asdict(place),
        })  # fmt: skip
    return DONE


def parse(argv: list[str] | None) -> Config:
    """Read the flags; raises InputError where the rounds leave nothing to count."""
    parser = Parser(
        prog="python benchmarks/training_speed.py",
        description="Train one network by sr.training.fit.fit and by a plain loop, and compare speed and PSNR.",
        example="python benchmarks/training_speed.py --data PHOTOS --val Set5 --json training-speed.json",
    )
    parser.add_shared("data", "val", "device", "seed", "json")
    for name, default, meaning in (
        ("steps", 400, "steps of both trainings"),
        ("batch", 16, "patches of a step"),
        ("patch", 32, "LR pixels of a patch's side"),
        ("rounds", 3, "trainings both ways, each from another seed"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{meaning} (default {default})")
    values = vars(parser.parse_args(argv))
    return Config(**{**values, "device": parse_device(values["device"])})


def train_plainly(
    network: nn.Module, recipe: Recipe, train: Pairs, files: Sequence[tuple[Path, Path]], device: torch.device
) -> float:
    """Train `network` by the plain loop and return its steps a second, the warm-up not counted."""
    loop = PlainLoop(network, recipe, loader(files, train, recipe, device), device)
    with training_on(device):
        loop.train(WARM_UP_STEPS)
        began = time.perf_counter()
        loop.train(recipe.steps - WARM_UP_STEPS)
        return (recipe.steps - WARM_UP_STEPS) / (time.perf_counter() - began)


def rounds(
    recipe: Recipe, train: Pairs, val: Pairs, files: Sequence[tuple[Path, Path]], config: Config
) -> tuple[list[Training], list[Training]]:
    """Train by the plain loop and by `fit` in turns, each round from weights and patches of another seed."""
    resident, show = on_device(train, config.device), Terminal()
    plain: list[Training] = []
    fast: list[Training] = []
    for seed in range(config.seed, config.seed + config.rounds):
        seeded = replace(recipe, seed=seed)
        torch.manual_seed(seed)
        network: nn.Module = untrained(ARCHITECTURE).to(config.device)
        twin = copy.deepcopy(network)
        speed = train_plainly(network, seeded, train, files, config.device)
        plain.append(judged(network, speed, val, config.device))
        fitted = fit(
            twin, seeded, resident, config.device, label=f"round {len(fast) + 1} of {config.rounds}", report=show
        )
        fast.append(judged(fitted.network, recipe.steps / fitted.seconds, val, config.device))
        say(f"round {len(fast)}: {plain[-1].summary} plainly, {fast[-1].summary} by fit")
    return plain, fast


def judged(network: nn.Module, speed: float, val: Pairs, device: torch.device) -> Training:
    """Return a training with the PSNR that it led to."""
    quality = evaluate(network, val, device, with_ssim=False)
    return Training(speed, quality.psnr, quality.psnr_y)


class PlainLoop:
    """The loop of a tutorial: batches from a loader, fp32, NCHW, Adam as torch makes it."""

    def __init__(
        self, network: nn.Module, recipe: Recipe, batches: DataLoader[tuple[Tensor, Tensor]], device: torch.device
    ) -> None:
        self.network, self.recipe, self.device = network.train(), recipe, device
        self.batches: Iterator[tuple[Tensor, Tensor]] = iter(batches)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
        self.steps_done = 0

    def train(self, steps: int) -> None:
        """Take steps and wait for the last one."""
        loss = torch.zeros(())
        for _ in range(steps):
            lr, hr = (side.to(self.device, non_blocking=True) for side in next(self.batches))
            for group in self.optimiser.param_groups:
                group["lr"] = self.recipe.learning_rate_at(self.steps_done)
            loss = LOSSES[self.recipe.loss](self.network(lr), hr)
            self.optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
            self.optimiser.step()
            self.steps_done += 1
        loss.item()


class FilePatches(Dataset[tuple[Tensor, Tensor]]):
    """LR (3, p, p) and HR in [0, 1] of one place after the other, from files opened for each."""

    def __init__(self, files: Sequence[tuple[Path, Path]], places: Tensor, patch: int, scale: int) -> None:
        self.files, self.places, self.patch, self.scale = files, places, patch, scale

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture, row, column, symmetry = self.places[index].tolist()
        lr, hr = self.files[picture]
        return (
            patch_of(lr, (row, column), self.patch, symmetry),
            patch_of(hr, (self.scale * row, self.scale * column), self.scale * self.patch, symmetry),
        )


def patch_of(path: Path, corner: tuple[int, int], size: int, symmetry: int) -> Tensor:
    """Decode a picture and return the (3, size, size) patch at `corner`, turned as by `sr.data.pairs`."""
    top, left = corner
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB").crop((left, top, left + size, top + size))).transpose(2, 0, 1)
    if symmetry & 4:
        pixels = pixels.transpose(0, 2, 1)
    pixels = np.flip(pixels, tuple(axis for axis, bit in ((1, 1), (2, 2)) if symmetry & bit))
    return torch.from_numpy(np.ascontiguousarray(pixels)).float() / 255


def picture_files(data: Path | None, pairs: Pairs, folder: Path) -> list[tuple[Path, Path]]:
    """Return the LR and HR file of every pair, LR written into `folder` as PNG."""
    hr = {source.hr.stem: source.hr for source in sources(data, "train", no_report)}
    files = []
    for index, name in enumerate(pairs.names):
        lr = folder / f"{index}.png"
        Image.fromarray(pairs.lr.picture(index).numpy()).save(lr)
        files.append((lr, hr[name]))
    return files


def loader(
    files: Sequence[tuple[Path, Path]], pairs: Pairs, recipe: Recipe, device: torch.device
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Return a loader whose batches are those that `fit` draws; raises InputError where a file says otherwise."""
    drawn = [pairs.draw(recipe.batch, recipe.patch, generator(recipe.seed, step)) for step in range(recipe.steps)]
    places = torch.cat([torch.stack([d.picture, d.row, d.column, d.symmetry], dim=1) for d in drawn])
    patches = FilePatches(files, places, recipe.patch, pairs.scale)
    for index, (lr, hr) in enumerate(zip(*pairs.cut(drawn[0], recipe.patch), strict=True)):
        if not all(map(torch.allclose, patches[index], (lr, hr))):
            name = pairs.names[int(drawn[0].picture[index])]
            raise InputError(f"--data: {name} must be plain 8-bit pixels for a plain loop to read it; remove it")
    return DataLoader(
        patches, recipe.batch, num_workers=WORKERS, persistent_workers=True, pin_memory=device.type == "cuda"
    )


def floor_seconds(recipe: Recipe, device: torch.device) -> float:
    """Return the seconds of a step that does nothing but its multiply-adds, at the device's measured peak.

    Three times those of a forward: its own, and those of the gradients of activations and of weights.
    """
    channels = PEAK_CHANNELS[device.type]
    dtype, memory_format = PRECISIONS[recipe.precision], MEMORY_FORMATS[recipe.memory_format]
    x = torch.randn(PEAK_BATCH, channels, PEAK_SIDE, PEAK_SIDE, device=device).to(dtype, memory_format=memory_format)
    weight = torch.randn(channels, channels, 3, 3, device=device).to(dtype, memory_format=memory_format)
    with torch.inference_mode():
        seconds = best_ms([lambda: F.conv2d(x, weight, padding=1)], device)[0] / 1e3
    peak = x.numel() * channels * 9 / seconds
    needed = 3 * recipe.batch * count(build(ARCHITECTURE), (recipe.patch, recipe.patch)).multi_adds
    say(f"peak: {peak / 1e9:.1f} G multiply-adds a second in {recipe.precision}; a step needs {needed / 1e9:.2f} G")
    return needed / peak


def compare(plain: Sequence[Training], fast: Sequence[Training]) -> Comparison:
    """Compare round by round."""
    both = list(zip(plain, fast, strict=True))
    differences = [b.psnr - a.psnr for a, b in both]
    error = statistics.stdev(differences) / math.sqrt(len(both)) if len(both) > 1 else None
    return Comparison(
        ratio=statistics.median(b.steps_per_second / a.steps_per_second for a, b in both),
        psnr_difference=statistics.mean(differences),
        psnr_difference_error=error,
        psnr_y_difference=statistics.mean(b.psnr_y - a.psnr_y for a, b in both),
    )


def say_result(compared: Comparison, floor: float, speed: float, device: torch.device) -> None:
    """Print the goals and the distance to the floor."""
    say(f"{compared.ratio:.2f} times the speed (goal: {RATIO[device.type]})")
    error = compared.psnr_difference_error
    spread = "" if error is None else f", standard error {error:.3f}"
    say(f"{compared.psnr_difference:+.3f} dB{spread} (goal: at most {MOST_LOST} lost)")
    say(f"floor: {1 / floor:.2f} steps a second at the peak; fit takes {1 / (speed * floor):.2f} times as long")


if __name__ == "__main__":
    sys.exit(run(main))
