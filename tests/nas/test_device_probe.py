"""What is measured before the first candidate: little, and less of a device that is known."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nas.device_probe import probe_reference, probe_seeds
from nas.evaluate import Setup
from nas.known_device import KnownDevice, remember
from nas.predictors.latency import LatencyPredictor
from search_spaces.fast_work import work
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.measure.latency import Protocol
from sr.measure.latency_model import USUAL

SEEDS = tuple(repeated(8, "branched_conv", count) for count in (1, 2, 3))
SPACE = replace(MSRRESNET_SPACE, seeds=SEEDS)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path))
        yield


def test_reference_alone_brings_predictions_to_this_device(setup: Setup, few: Protocol) -> None:
    known = probe_reference(setup, few)
    assert known.model.networks == 1
    # The reference stands beside itself, as beside any candidate: one of the two is the calm runtime.
    assert known.calm_ms(setup.target.lr_size) is not None
    assert known.model.predict(work(setup.reference, setup.target.lr_size)) > 0
    ratios = [cost / usual for cost, usual in zip(known.model.costs_ms, USUAL.costs_ms, strict=True)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-6)


def test_known_device_keeps_what_is_known_but_for_its_speed(setup: Setup, few: Protocol) -> None:
    model = replace(USUAL, channel_step=16, costs_ms=tuple(cost**2 for cost in USUAL.costs_ms), networks=12)
    remember(setup.target, KnownDevice(model, {"24x16": 1e-6}))
    known = probe_reference(setup, few)
    assert (known.model.channel_step, known.model.networks) == (16, 12)
    ratios = [now / before for now, before in zip(known.model.costs_ms, model.costs_ms, strict=True)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-6)
    # Nothing was ever as fast as the runtime that an earlier search had.
    assert known.calm_ms(setup.target.lr_size) == 1e-6


def test_seeds_of_a_new_device_are_measured(setup: Setup, few: Protocol) -> None:
    known = KnownDevice(replace(USUAL, networks=1))
    latency = probe_seeds(known, SPACE, setup, few)
    assert len(latency.measured) == 3
    assert latency.model.networks == 3
    assert latency.known == known.model


def test_only_the_smallest_seed_is_measured_where_the_others_take_too_long(setup: Setup, few: Protocol) -> None:
    latency = probe_seeds(KnownDevice(replace(USUAL, networks=1)), SPACE, replace(setup, budget_ms=1e-6), few)
    assert len(latency.measured) == 1


def test_seeds_of_a_known_device_are_not_measured(setup: Setup, few: Protocol) -> None:
    known = KnownDevice(replace(USUAL, networks=10))
    assert probe_seeds(known, SPACE, setup, few) == LatencyPredictor(setup.target.lr_size, known.model, known.model)
    nine = KnownDevice(replace(USUAL, networks=9))
    assert len(probe_seeds(nine, SPACE, setup, few).measured) == 1
