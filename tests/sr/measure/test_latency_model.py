"""Devices that cost what the model says: a few of their networks tell the others."""

import json
import random
import statistics
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sr.errors import InputError
from sr.measure.latency_model import _FEATURES, CHANNEL_STEPS, USUAL, LatencyModel, Work, work_of
from sr.measure.operator_work import Operator

pytestmark = pytest.mark.numeric

LR_PIXELS = 10_000
WIDTHS = (6, 8, 10, 12, 16, 20, 24, 26, 28, 32)
SEEDS = st.integers(0, 2**32)


def network(rng: random.Random) -> Work:
    """Draw what a network has to do: blocks of every class at LR size, and an upsampler of one step or at HR size."""
    width, depth, hr_pixels = rng.choice(WIDTHS), rng.randint(1, 12), 16 * LR_PIXELS
    found: Counter[Operator] = Counter()

    def add(kind: str, pixels: int, out: int, read: int, taps: int) -> None:
        in_channels = 1 if kind == "grouped" else read
        found[Operator(kind, pixels, out, in_channels, taps, pixels * read)] += 1  # type: ignore[arg-type]

    def move(pixels: int, channels: int) -> None:
        found[Operator("elementwise", pixels, channels, read=pixels * channels * rng.randint(1, 2))] += 1

    add("spatial", LR_PIXELS, width, 3, 9)
    for _ in range(depth):
        kind = rng.choice(("spatial", "pointwise", "grouped", "inverted"))
        if kind == "inverted":
            add("pointwise", LR_PIXELS, 3 * width, width, 1)
            add("grouped", LR_PIXELS, 3 * width, 3 * width, 9)
            add("pointwise", LR_PIXELS, width, 3 * width, 1)
        else:
            add(kind, LR_PIXELS, width, width, 1 if kind == "pointwise" else 9)
        move(LR_PIXELS, width)
    if rng.random() < 0.3:
        add("spatial", hr_pixels, 8, 8, 9)
        move(hr_pixels, 8)
    move(hr_pixels, 3)
    return work_of(found, LR_PIXELS)


def networks(count: int, seed: int) -> list[Work]:
    rng = random.Random(seed)
    return [network(rng) for _ in range(count)]


def device(seed: int, channel_step: int = 8) -> LatencyModel:
    """Draw a device that costs between a third and three times of what is usual, all of it at some speed."""
    rng = random.Random(seed)
    speed = 10 ** rng.uniform(-2, 2)
    return LatencyModel(channel_step, tuple(speed * cost * 3 ** rng.uniform(-1, 1) for cost in USUAL.costs_ms))


def times(model: LatencyModel, works: list[Work]) -> list[float]:
    return [model.predict(each) for each in works]


# The same examples each time: a bound that all devices keep to would say nothing.
@settings(max_examples=25, derandomize=True)
@given(SEEDS, st.sampled_from(CHANNEL_STEPS))
def test_some_networks_of_a_device_tell_its_others_and_its_channel_step(seed: int, channel_step: int) -> None:
    true = device(seed, channel_step)
    seen, unseen = networks(60, seed + 1), networks(30, seed + 2)
    fitted = USUAL.fitted(seen, times(true, seen))
    assert fitted.channel_step == channel_step
    assert fitted.networks == 60
    errors = [abs(fitted.predict(each) / true.predict(each) - 1) for each in unseen]
    assert statistics.median(errors) < 0.03


@settings(max_examples=25, derandomize=True)
@given(SEEDS)
def test_what_a_device_does_for_nothing_costs_nothing(seed: int) -> None:
    free = random.Random(seed).sample(range(_FEATURES), 3)
    usual = device(seed)
    true = replace(usual, costs_ms=tuple(0.0 if index in free else cost for index, cost in enumerate(usual.costs_ms)))
    seen, unseen = networks(60, seed + 1), networks(30, seed + 2)
    fitted = USUAL.fitted(seen, times(true, seen))
    assert all(cost >= 0 for cost in fitted.costs_ms)
    errors = [abs(fitted.predict(each) / true.predict(each) - 1) for each in unseen]
    assert statistics.median(errors) < 0.05


@given(SEEDS, st.lists(st.floats(0.1, 1e3), min_size=1, max_size=12))
def test_predictions_are_never_negative_and_add_up_whatever_was_measured(seed: int, measured: list[float]) -> None:
    """Such as times that have nothing to do with the networks."""
    fitted = USUAL.fitted(networks(len(measured), seed), measured)
    one, other = networks(2, seed + 1)
    assert fitted.predict(one) >= 0
    assert (fitted.costs_of(one) >= 0).all()
    assert fitted.predict(one + other) == pytest.approx(fitted.predict(one) + fitted.predict(other))
    assert fitted.predict(3 * one) == pytest.approx(3 * fitted.predict(one))
    assert fitted.predict(one) == pytest.approx(fitted.costs_of(one).sum())


@given(SEEDS, st.floats(0.01, 100.0))
def test_one_network_scales_what_is_known(seed: int, factor: float) -> None:
    known = device(seed)
    one, *others = networks(6, seed + 1)
    fitted = known.fitted([one], [factor * known.predict(one)])
    assert (fitted.channel_step, fitted.networks) == (known.channel_step, 1)
    for each in others:
        assert fitted.predict(each) == pytest.approx(factor * known.predict(each), rel=1e-6)


@given(SEEDS)
def test_order_of_the_networks_says_nothing(seed: int) -> None:
    seen, rng = networks(5, seed), random.Random(seed)
    measured = [rng.uniform(1, 9) for _ in seen]
    forth, back = USUAL.fitted(seen, measured), USUAL.fitted(seen[::-1], measured[::-1])
    assert back.costs_ms == pytest.approx(forth.costs_ms, rel=1e-6, abs=1e-9)


def test_more_networks_never_leave_the_known_model_worse() -> None:
    known, unseen = device(3), networks(30, 5)
    # A device whose pointwise convolutions alone are four times as slow.
    costs = list(known.costs_ms)
    costs[1] *= 4
    true = replace(known, costs_ms=tuple(costs))

    def error(count: int) -> float:
        seen = networks(count, 4)
        fitted = known.fitted(seen, times(true, seen))
        return statistics.median(abs(fitted.predict(each) / true.predict(each) - 1) for each in unseen)

    assert error(0) > error(6) > error(30)
    assert error(30) < 0.03


@settings(max_examples=25, derandomize=True)
@given(SEEDS, st.floats(1e-3, 1e3))
def test_unit_of_time_makes_no_difference(seed: int, factor: float) -> None:
    true, seen = device(seed), networks(12, seed + 1)
    measured = times(true, seen)
    fitted, scaled = USUAL.fitted(seen, measured), USUAL.fitted(seen, [factor * ms for ms in measured])
    assert scaled.channel_step == fitted.channel_step
    assert [cost / factor for cost in scaled.costs_ms] == pytest.approx(fitted.costs_ms, rel=1e-6, abs=1e-9)


def test_nothing_measured_changes_nothing_and_few_keep_the_channel_step() -> None:
    assert USUAL.fitted([], []) is USUAL
    seen, true = networks(3, 0), device(0, channel_step=1)
    assert USUAL.fitted(seen, times(true, seen)).channel_step == USUAL.channel_step


def test_work_is_put_into_classes_per_channel_step() -> None:
    found = Counter({
        Operator("spatial", 100, 12, 12, 9, 1200): 2,
        Operator("grouped", 1600, 8, 1, 9, 800): 1,
        Operator("elementwise", 100, 10, read=1000): 3,
        Operator("elementwise", 1600, 3, read=4800): 1,
    })  # fmt: skip
    work = work_of(found, 100)
    assert work.shape == (len(CHANNEL_STEPS), _FEATURES)
    at_one, at_eight = work[CHANNEL_STEPS.index(1)], work[CHANNEL_STEPS.index(8)]
    moved = [2 * (1200 + 1200) / 1e7, (1600 * 8 + 800) / 1e7]
    rest = [3 * 2000 / 1e7, 9600 / 1e7, *moved]
    arithmetic = [2 * 100 * 12 * 12 * 9 / 1e9, 0.0, 1600 * 8 * 9 / 1e9]
    exactly = arithmetic[0]
    assert at_one == pytest.approx([*arithmetic, *rest, 0.0, 0.07, exactly])
    arithmetic[0] = 2 * 100 * 16 * 16 * 9 / 1e9
    assert at_eight == pytest.approx([*arithmetic, *rest, moved[0], 0.07, exactly])


@given(SEEDS, st.sampled_from(CHANNEL_STEPS))
def test_model_comes_back_from_json_as_it_was(seed: int, channel_step: int) -> None:
    model = replace(device(seed, channel_step), networks=7)
    assert LatencyModel.from_json(json.loads(json.dumps(model.to_json()))) == model


@pytest.mark.parametrize(
    ("channel_step", "costs_ms"),
    [
        (3, USUAL.costs_ms),
        (8, USUAL.costs_ms[1:]),
        (8, (*USUAL.costs_ms[1:], -1.0)),
        (8, (*USUAL.costs_ms[1:], float("nan"))),
        (8, (*USUAL.costs_ms[1:], float("inf"))),
        (8, (0.0,) * _FEATURES),
    ],
)
def test_model_that_breaks_a_constraint_is_refused(channel_step: int, costs_ms: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match=r"a latency model has a channel step of .* and 10 costs from 0 on, got "):
        LatencyModel(channel_step, costs_ms)
