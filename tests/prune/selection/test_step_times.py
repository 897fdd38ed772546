"""What steps take between the counts that are measured."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from prune.selection.latency_steps import ConvCall, CostTable, Step
from prune.selection.step_times import QUANTUM, StepTimes, around, calls_of, counts_up_to, parts_of
from sr.measure.target import Target
from sr.measure.timing_cache import Timings


@given(st.integers(1, 512), st.data())
def test_counts_around_are_measured_ones_with_weights_that_sum_to_one(most: int, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(1, most))
    found = around(chosen, most)
    assert {measured for measured, _ in found} <= set(counts_up_to(most))
    assert sum(share for _, share in found) == pytest.approx(1)
    assert all(0 < share <= 1 for _, share in found)
    # In between them lies the count, rounded up to the quantum as the device does; nothing is known under the first.
    mean, first = sum(measured * share for measured, share in found), counts_up_to(most)[0]
    assert chosen <= mean + 1e-9
    assert mean <= min(most, max(first, chosen + QUANTUM - 1)) + 1e-9


@given(st.integers(1, 512))
def test_a_measured_count_stands_for_itself(most: int) -> None:
    assert all(around(measured, most) == [(measured, 1.0)] for measured in counts_up_to(most))


@given(st.integers(1, 512))
def test_a_side_has_few_measured_counts_up_to_all(most: int) -> None:
    measured = counts_up_to(most)
    assert measured[-1] == most
    assert all(low < high for low, high in pairwise(measured))
    assert len(measured) <= QUANTUM
    assert most <= QUANTUM or all(each % QUANTUM == 0 for each in measured[:-1])


@given(st.integers(1, 200), st.data())
def test_interpolated_costs_grow_with_the_count_where_measured_ones_do(most: int, data: st.DataObject) -> None:
    measured = counts_up_to(most)
    steps = data.draw(st.lists(st.floats(0, 10), min_size=len(measured), max_size=len(measured)))
    costs = {each: sum(steps[: index + 1]) for index, each in enumerate(measured)}
    found = [sum(share * costs[each] for each, share in around(chosen, most)) for chosen in range(1, most + 1)]
    assert all(low <= high + 1e-9 for low, high in pairwise(found))


def known(steps: list[Step], ms: list[float]) -> StepTimes:
    """Return times of which these are measured, each in a frame that takes nothing to speak of."""
    table = CostTable(Target(torch.device("cpu")), "contiguous", None)
    frames = {frame.key: 1e-12 for step in steps for frame in step.frames}
    table.table.remember(Timings(1.0, frames | {step.key: each for step, each in zip(steps, ms, strict=True)}))
    return StepTimes(table)


@pytest.mark.parametrize(
    "law", [lambda i, o: i * o, lambda i, o: 3 * i + o, lambda i, o: math.ceil(i / 16) * o + 5 * o]
)
def test_products_and_sums_of_both_sides_follow_from_margins_and_corners(law) -> None:  # type: ignore[no-untyped-def]
    conv = nn.Conv2d(48, 32, 3)
    steps = list(dict.fromkeys(calls_of(conv, (8, 8), "", 48, 32)))
    ms = [float(law(step.inputs, step.outputs)) for step in steps if isinstance(step, ConvCall)]
    times = known(steps, ms)
    for inputs in counts_up_to(48):
        for outputs in counts_up_to(32):
            assert times.conv_ms(conv, (8, 8), "", inputs, outputs) == pytest.approx(law(inputs, outputs))
    # Two margins and a corner instead of all pairs.
    assert len(steps) == len(counts_up_to(48)) + len(counts_up_to(32))


@pytest.mark.parametrize("kind", ["read", "sum"])
def test_parts_cost_in_proportion_to_the_tensor_and_to_the_part(kind: str) -> None:
    parts = parts_of(kind, (8, 8), 64)
    times = known(list(parts), [2.0 * part.channels + 3.0 * part.count for part in parts])
    assert times.part_ms(kind, (8, 8), 40, 24, 64) == pytest.approx(2.0 * 40 + 3.0 * 24)
    assert times.part_ms(kind, (8, 8), 40, 40, 64) == (0.0 if kind == "read" else pytest.approx(5.0 * 40))


def test_a_few_channels_are_never_a_part() -> None:
    assert parts_of("read", (8, 8), 3) == []
    assert counts_up_to(3) == (3,)
