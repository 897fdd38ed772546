"""Outcomes that follow from an architecture alone, so that a search over them can be repeated exactly."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from sqlalchemy import event
from sqlalchemy.engine import Engine

from nas.config.measurement_plan import MeasurementPlan
from nas.evaluate import Setup
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.fast_counts import counts
from search_spaces.msrresnet import REFERENCE_NETWORK
from sr.data.sources import load_pairs
from sr.measure.complexity import Complexity
from sr.measure.latency import Protocol, Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions, Target
from sr.training.recipe import Recipe

Outcome = Callable[[int, Architecture], Trial]


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """A study's record syncs each write, hundreds in these tests, and none of them cuts the power."""

    def unsynced(connection: object, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        event.listen(Engine, "connect", unsynced)
        yield
        event.remove(Engine, "connect", unsynced)


@pytest.fixture(scope="session", autouse=True)
def _one_family_of_rivals() -> Iterator[None]:
    """Every search looks for hand-designed networks at its end, in hundreds of sizes of all families."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.ending.SHOWN", ("ecbsr",))
        yield


@pytest.fixture(scope="session")
def few() -> Protocol:
    """Return the protocol that times by a few runs: what is tested is not how long a network takes."""
    return Protocol(seconds=0.0, minimum_runs=3, early_stop_runs=3, idle_seconds=0.0)


@pytest.fixture(scope="session")
def plan(few: Protocol) -> MeasurementPlan:
    """Return the plan that measures little."""
    return MeasurementPlan(candidate=few, beside=few, trained=few, planning_steps=4, fewest_first_steps=1)


@pytest.fixture(scope="session")
def setup() -> Setup:
    """Return what all candidates share where they are tiny, in one precision, so that equal ones train alike."""
    return Setup(
        budget_ms=60_000.0,
        target=Target(torch.device("cpu"), (16, 24), "float32"),
        recipe=Recipe(steps=4, batch=2, patch=8, precision="float32", memory_format="contiguous"),
        train=load_pairs(None, "train").centre_crops(24, 3),
        val=load_pairs(None, "val").centre_crops(24, 2),
        reference=REFERENCE_NETWORK,
    )


@pytest.fixture(scope="session")
def setup_at_x2(setup: Setup) -> Setup:
    """Return `setup` with the same pictures at another scale."""
    train, val = (
        load_pairs(None, part, scale=2).centre_crops(24, len(pairs))
        for part, pairs in (("train", setup.train), ("val", setup.val))
    )
    return replace(setup, train=train, val=val)


def complexity_of(architecture: Architecture) -> Complexity:
    """Return what outcomes follow from, added up, as hundreds are asked for; the rest as if all were like MSRResNet."""
    added = counts(architecture, (64, 64))
    convs = 5 + 2 * len(architecture.canonical.blocks)
    return Complexity(
        added.params, added.multi_adds, 2 * added.multi_adds, added.activations, convs, memory=4 * added.params
    )


@pytest.fixture(scope="session")
def outcome_within() -> Callable[[float], Outcome]:
    """Return what makes a function from a budget in ms, that makes the trial of an architecture: 10 ms a M activations,
    and the more dB the more multiply-adds."""

    def within(budget_ms: float) -> Outcome:
        def make(number: int, architecture: Architecture) -> Trial:
            complexity = complexity_of(architecture)
            runtime_ms = complexity.activations / 1e5
            runtime = Runtime(
                runtime_ms, 0.9 * runtime_ms, 1.1 * runtime_ms, 20, reliable=True, memory_format="contiguous"
            )
            place = Conditions("device", "driver", "versions", 2, (64, 64), "float32")
            trained = runtime.p90_ms <= budget_ms
            psnr = 25 + complexity.multi_adds / 1e9
            quality = Quality(psnr, psnr + 1.5, None, 3) if trained else None
            measurement = Measurement(complexity, runtime, place, 5.0, quality)
            return Trial(number, architecture, "trained" if trained else "infeasible", measurement, seconds=1.0)

        return make

    return within


@pytest.fixture(scope="session")
def outcome(outcome_within: Callable[[float], Outcome]) -> Outcome:
    """Return the function for a budget of 100 ms."""
    return outcome_within(100.0)
