"""A league of two tiny networks, trained for a few steps, and what came of one that was never held."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from baselines.league.archive import Archive
from baselines.league.entries import Entry, of_size
from baselines.league.record import Result
from baselines.league.setup import Setup
from baselines.league.standings import Standing, Standings
from search_spaces.msrresnet import repeated
from sr.checkpoint import Description
from sr.data.pairs import Pairs
from sr.data.sources import load_pairs
from sr.measure.complexity import Complexity
from sr.measure.latency import Protocol, Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions, Target
from sr.training.recipe import Recipe

_PLACE = Conditions("a device", "a driver", "versions", 2, (256, 256), "float32")


@pytest.fixture(scope="session")
def few() -> Protocol:
    """Return the protocol that times by a few runs: what is tested is not how long a network takes."""
    return Protocol(seconds=0.0, minimum_runs=3, early_stop_runs=3, idle_seconds=0.0)


@pytest.fixture(scope="session")
def pictures() -> Callable[[int], tuple[Pairs, dict[str, Pairs]]]:
    """Return what a league at a scale trains and is judged on, decoded once: some of the photographs are large."""

    @functools.cache
    def at(scale: int) -> tuple[Pairs, dict[str, Pairs]]:
        photographs = load_pairs(None, "val", scale=scale)
        val = {"two": photographs.centre_crops(24, 2), "one": photographs.centre_crops(20, 1)}
        return load_pairs(None, "train", scale=scale).centre_crops(24, 3), val

    return at


@pytest.fixture
def setup(tmp_path: Path, pictures: Callable[[int], tuple[Pairs, dict[str, Pairs]]]) -> Setup:
    """Return what entries share where all is tiny."""
    train, val = pictures(4)
    return Setup(
        budget_ms=60_000.0,
        target=Target(torch.device("cpu"), (16, 16)),
        recipe=Recipe(steps=4, batch=2, patch=16, precision="float32", solve_output=True),
        train=train,
        val=val,
        folder=tmp_path / "league",
        rates=(1e-3, 3e-3),
    )


@pytest.fixture
def setup_at_x2(setup: Setup, pictures: Callable[[int], tuple[Pairs, dict[str, Pairs]]]) -> Setup:
    """Return the same with pictures of which HR is twice LR."""
    train, val = pictures(2)
    return replace(setup, train=train, val=val)


@pytest.fixture
def by_hand() -> Entry:
    """Return a family's small member, which trains as branches."""
    return of_size("ecbsr", {"num_feat": 8, "num_block": 1})


@pytest.fixture
def searched() -> Entry:
    """Return a small architecture, as a search would choose one."""
    return Entry("searched a", "searched", Description("searched", repeated(8, "residual_leaky", 1).to_json()))


def _standing(title: str, kind: str, ms: float, *psnr: float, steps: int = 100, **changes: object) -> Standing:
    """Return a network of so many ms and thousands of parameters, with the PSNR of each seed."""
    runtime = Runtime(ms, 0.9 * ms, 1.1 * ms, 50, reliable=True, memory_format="contiguous")
    size = round(1000 * ms)
    counts = Complexity(size, 2 * size, 3 * size, 100_000 - size, 4, 5 * size)
    results = [
        Result(steps, seed, 3e-3, 1.0, {"Set14": Quality(each, each + 2, 0.7, 14)}, trained_on="a GPU, PyTorch 2.12.1")
        for seed, each in enumerate(psnr)
    ]
    measurement = Measurement(counts, replace(runtime, **changes), _PLACE, 20.0)  # type: ignore[arg-type]
    return Standing(title, kind, measurement, tuple(results))  # type: ignore[arg-type]


@pytest.fixture
def standings() -> Standings:
    """Return a league in which the searched network is ahead and the best by hand is over the budget."""
    return Standings(
        40.0,
        ("Set14",),
        {"Set14": Quality(24.5, 26.2, 0.6, 14)},
        (
            _standing("ecbsr 16", "hand-designed", 35.0, 25.5, 25.6),
            _standing("span 28", "hand-designed", 200.0, 26.5, 26.5),
            _standing("searched <a>", "searched", 36.0, 25.7, 25.8, reliable=False),
            _standing("pruned p", "pruned", 34.0, 25.4),
        ),
    )


@pytest.fixture
def archive(standings: Standings) -> Archive:
    """Return the same league as its file holds it."""
    return Archive(
        standings=standings,
        command="python benchmarks/league.py --budget-ms 40 --val Set14",
        recipe={"steps": 100, "batch": 8},
        rates=(1e-3, 3e-3),
        share=4,
        pictures=400,
        date="2026-11-26T20:00:00+00:00",
        python="3.11.7",
        torch="2.13.0",
    )
