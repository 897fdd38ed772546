"""What is measured before the first candidate: little, and less of a device that is known."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nas.device_probe import probe_device, probe_seeds
from nas.evaluate import Setup
from nas.known_device import KnownDevice, remember
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.measure.latency import Protocol
from sr.measure.latency_model import USUAL

SEEDS = tuple(repeated(8, "branched_conv", count) for count in (1, 2, 3))
SPACE = replace(MSRRESNET_SPACE, seeds=SEEDS)


def of_any_speed(known: KnownDevice, setup: Setup) -> KnownDevice:
    """Return what is known of a device that was never as fast as now."""
    return known.with_calm(setup.target.lr_size, 1e9)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path))
        yield


def test_new_device_is_probed_at_several_widths_and_at_hr_size(setup: Setup, few: Protocol) -> None:
    known = probe_device(setup, few)
    probed = [architecture for architecture, _ in known.probes]
    assert probed[0] == setup.reference
    assert [each.num_feat for each in probed] == [16, 12, 20, 24, 16, 16, 8]
    assert setup.reference.num_feat == 16
    assert [len(each.blocks) for each in probed] == [2, 2, 2, 2, 8, 2, 2]
    assert probed[-1].upsampler == "two_step"
    assert known.calm_ms(setup.target.lr_size) == known.probes[0][1]
    predictor = known.predictor(setup.target.lr_size)
    assert predictor.is_calibrated
    assert predictor.model.networks == len(probed)
    assert predictor.predict(setup.reference) > 0


def test_known_device_keeps_what_is_known_but_for_its_speed(setup: Setup, few: Protocol) -> None:
    model = replace(USUAL, channel_step=16, networks=12)
    probes = ((setup.reference, 1e6), (repeated(12, "idle", 2), 3e6))
    remember(setup.target, KnownDevice(model, probes, {"24x16": 1e-6}))
    known = probe_device(setup, few)
    assert known.model == model
    # Nothing was ever as fast as the runtime that an earlier search had: what is predicted is at that speed.
    assert known.calm_ms(setup.target.lr_size) == 1e-6
    assert [each for each, _ in known.probes] == [each for each, _ in probes]
    assert [ms for _, ms in known.probes] == pytest.approx([1e-6, 3e-6])


def test_seeds_of_a_new_device_are_measured(setup: Setup, few: Protocol) -> None:
    latency = probe_seeds(of_any_speed(KnownDevice(), setup), SPACE, setup, few)
    assert latency.model.networks == len(latency.measured) == len(SEEDS)


def test_only_the_smallest_seed_is_measured_where_the_others_take_too_long(setup: Setup, few: Protocol) -> None:
    known = of_any_speed(KnownDevice(), setup)
    assert len(probe_seeds(known, SPACE, replace(setup, budget_ms=1e-6), few).measured) == 1


def test_seeds_measured_under_load_are_predicted_at_calm_speed(setup: Setup, few: Protocol) -> None:
    times = []
    for calm_ms in (1e9, 1e-9):
        known = KnownDevice().with_calm(setup.target.lr_size, calm_ms)
        times.append([ms for _, ms in probe_seeds(known, SPACE, setup, few).measured])
    # A billion times slower than when it was calm, or near that.
    assert all(calm < 1e-6 * taken for taken, calm in zip(*times, strict=True))


@pytest.mark.parametrize(("networks", "seeds"), [(10, 0), (9, 1)])
def test_seeds_of_a_known_device_are_measured_up_to_what_is_enough(
    networks: int, seeds: int, setup: Setup, few: Protocol
) -> None:
    known = of_any_speed(KnownDevice(replace(USUAL, networks=networks)), setup)
    assert len(probe_seeds(known, SPACE, setup, few).measured) == seeds
