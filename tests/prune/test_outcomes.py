"""Outcomes are parted into the dense network, ours and those of other methods."""

import pytest

from prune.outcomes import Outcome, parted
from sr.errors import InputError
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions


def outcome(name: str, psnr: float | None = 28.0) -> Outcome:
    quality = None if psnr is None else Quality(psnr, psnr + 1.5, 0.8, 5)
    measurement = Measurement(
        Complexity(1, 2, 3, 4, 5, 6), Runtime(10.0, 9.0, 12.0, 40, reliable=True, memory_format="contiguous"),
        Conditions("device", "driver", "versions", 2, (170, 255), "float32"), 20.0, quality,
    )  # fmt: skip
    return Outcome(name, measurement, (), None)


def test_ours_are_those_of_our_own_method() -> None:
    outcomes = [outcome(name) for name in ("per-layer (shared)", "dense", "group", "per-layer (blended)")]
    dense, ours, others = parted(outcomes)
    assert dense.name == "dense"
    assert [each.name for each in ours] == ["per-layer (shared)", "per-layer (blended)"]
    assert [each.name for each in others] == ["group"]
    assert (dense.runtime_ms, dense.psnr) == (10.0, 28.0)


@pytest.mark.parametrize("names", [["group"], ["dense", "dense"]])
def test_there_is_one_dense_network(names: list[str]) -> None:
    with pytest.raises(InputError, match="exactly one outcome called 'dense'"):
        parted([outcome(name) for name in names])


@pytest.mark.parametrize("psnr", [None, float("nan"), float("inf")])
def test_a_psnr_that_is_no_number_is_named(psnr: float | None) -> None:
    with pytest.raises(InputError, match="finite PSNR, 'group' has"):
        _ = outcome("group", psnr).psnr
