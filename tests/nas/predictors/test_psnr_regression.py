"""The PSNR regression: what it sees, its honesty, and that it learns what there is to learn."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from nas.predictors.psnr_regression import (
    _DB_PER_DECADE,
    _FREE,
    _MAIN,
    _MINIMUM_EXAMPLES,
    _PENALTIES,
    Error,
    Example,
    Prior,
    _features,
    _left_out,
    _penalty_shares,
    expected_unseen,
    fit,
)
from nas.predictors.ridge import Floats, fit_best_ridge
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import MSRRESNET, repeated
from search_spaces.network import build
from sr.errors import InputError
from sr.measure.complexity import Complexity, count

KINDS = ("residual_relu", "inverted_x3", "idle", "branched_conv")


def drawn(number: int) -> Architecture:
    rng = random.Random(number)
    blocks = tuple(Block(rng.choice(KINDS)) for _ in range(rng.randint(1, 8)))
    skip = rng.choice(("none", "nearest", "bilinear"))
    return Architecture(
        rng.choice((8, 16, 24, 32)), blocks, image_skip=skip, aggregation=rng.choice(("none", "concat"))
    )


def example(number: int, noise: float = 0.02) -> Example:
    """A network whose PSNR follows its multiply-adds and its share of residuals; an early PSNR that half follows it."""
    architecture, rng = drawn(number), random.Random(f"noise {number}")
    # In place of counting a network: what matters here is that the counts grow with it.
    work = architecture.num_feat**2 * len(architecture.blocks)
    complexity = Complexity(9 * work + 2000, 600_000 * work + 10**8, 0, 65_536 * architecture.num_feat, 9, 10**6)
    residuals = sum(block.kind == "residual_relu" for block in architecture.blocks) / len(architecture.blocks)
    final = 20 + 0.6 * math.log10(complexity.multi_adds) + 0.3 * residuals + rng.gauss(0, noise)
    early = final - 1 + rng.gauss(0, 0.1)
    return Example(architecture, complexity, {"rung 0": early, "useless": rng.gauss(27, 1)}, final)


EXAMPLES = [example(number) for number in range(30)]


def flat(rows: Floats) -> Floats:
    return np.ones(rows.shape[1])


def table(seed: int, count: int, width: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)), rng.normal(size=count)


def test_cheap_psnr_keeps_its_order_where_nothing_else_helps() -> None:
    rng = np.random.default_rng(3)
    cheap = rng.normal(25, 0.3, size=12)
    # Seven features that say nothing, and a truth that the cheap PSNR orders with a little noise.
    rows = np.column_stack([rng.normal(size=(12, 7)), cheap])
    targets = 1.4 * cheap - 9 + rng.normal(0, 0.01, size=12)
    predict = fit_best_ridge(rows, targets, np.array([_MAIN] * 7 + [_FREE]), _PENALTIES).predict
    assert np.abs([predict(row) - target for row, target in zip(rows, targets, strict=True)]).mean() < 0.02
    slope = (predict(np.append(rows[0][:7], 25.1)) - predict(np.append(rows[0][:7], 25.0))) / 0.1
    assert slope == pytest.approx(1.4, abs=0.1)


@pytest.mark.parametrize("cheap", [(), ("rung 0",), ("rung 0", "useless")])
def test_every_feature_has_its_share_of_the_penalty(cheap: tuple[str, ...]) -> None:
    (each, *_) = EXAMPLES
    row = _features(each.architecture, each.complexity, each.cheap_psnr, cheap)
    assert _penalty_shares(cheap).shape == row.shape
    assert sum(_penalty_shares(cheap) == _FREE) == len(cheap)
    # The logarithm of the depth is among those that pay no more than others.
    deep = replace(each.architecture, blocks=each.architecture.blocks * 2)
    changed = _features(deep, each.complexity, each.cheap_psnr, cheap) != row
    assert set(_penalty_shares(cheap)[changed]) == {_MAIN}


def test_network_that_is_left_out_is_not_seen_at_all() -> None:
    rows, targets = table(0, 8, 4)
    networks = ["a", "b", "c", "d", "e", "f", "g", "a"]
    missed, leverages = _left_out(rows, targets, networks, flat(rows))
    model = fit_best_ridge(rows[1:7], targets[1:7], flat(rows), _PENALTIES)
    assert missed[7] == model.predict(rows[7]) - targets[7]
    assert leverages[0] == model.leverage(rows[0])
    # Whatever the network of `a` had reached, its prediction stays the same.
    other = targets.copy()
    other[[0, 7]] += 5
    assert (_left_out(rows, other, networks, flat(rows))[0] + other)[[0, 7]] == pytest.approx(
        (missed + targets)[[0, 7]]
    )


def test_regression_ranks_networks_that_it_did_not_see() -> None:
    regression = fit(EXAMPLES[:24], ["rung 0"])
    assert regression.error.examples == 24
    assert regression.error.tau is not None
    assert regression.error.tau > 0.8
    assert regression.error.mae is not None
    assert regression.error.mae < 0.06
    for each in EXAMPLES[24:]:
        expected = regression.predict(each.architecture, each.complexity, each.cheap_psnr)
        assert 0 < expected.std < 0.5
        assert abs(expected.psnr - each.psnr) < 4 * expected.std


def test_error_is_that_of_explicit_fits_without_each() -> None:
    examples = EXAMPLES[:9]
    missed = []
    for index, each in enumerate(examples):
        expected = fit(examples[:index] + examples[index + 1 :]).predict(each.architecture, each.complexity, {})
        missed.append(abs(expected.psnr - each.psnr))
    assert fit(examples).error.mae == pytest.approx(np.mean(missed))


def test_prediction_far_from_the_examples_is_less_certain() -> None:
    regression = fit(EXAMPLES)
    near, far = EXAMPLES[0], replace(EXAMPLES[0].architecture, upsampler="two_step")
    known = regression.predict(near.architecture, near.complexity, {})
    assert regression.predict(far, near.complexity, {}).std > known.std
    huge = Complexity(**{**vars(near.complexity), "multi_adds": 10**15})
    assert regression.predict(near.architecture, huge, {}).std > known.std


def test_order_of_the_examples_makes_no_difference() -> None:
    each = EXAMPLES[3]
    forth, back = (
        fit(examples, ["rung 0"]).predict(each.architecture, each.complexity, each.cheap_psnr)
        for examples in (EXAMPLES, EXAMPLES[::-1])
    )
    assert (forth.psnr, forth.std) == pytest.approx((back.psnr, back.std))


@pytest.mark.parametrize("known", range(_MINIMUM_EXAMPLES))
def test_few_examples_give_a_prior_that_says_so(known: int) -> None:
    with_rung, without = fit(EXAMPLES[:known], ["rung 0"]), fit(EXAMPLES[:known])
    assert with_rung.error == without.error == Error(None, None, known)
    assert isinstance(without.model, Prior)
    each = EXAMPLES[-1]
    expected = with_rung.predict(each.architecture, each.complexity, each.cheap_psnr)
    gained = [example.psnr - example.cheap_psnr["rung 0"] for example in EXAMPLES[:known]]
    assert expected.psnr == pytest.approx(each.cheap_psnr["rung 0"] + (np.mean(gained) if known else 0))
    assert math.isinf(expected.std)
    larger = Complexity(**{**vars(each.complexity), "multi_adds": 10 * each.complexity.multi_adds})
    one, other = (without.predict(each.architecture, complexity, {}) for complexity in (each.complexity, larger))
    assert other.psnr - one.psnr == pytest.approx(_DB_PER_DECADE)
    assert math.isinf(one.std)
    few = f"was not predicted: that takes 6 trained networks, and {known} were known"
    assert with_rung.describe() == few
    assert without.describe() == few


def test_same_network_twice_is_one_network() -> None:
    assert isinstance(fit([*EXAMPLES[:5], EXAMPLES[4]]).model, Prior)
    assert fit([*EXAMPLES[:6], EXAMPLES[5]]).error.examples == 6


def test_description_says_how_wrong_the_regression_is() -> None:
    regression = fit(EXAMPLES[:12], ["rung 0"])
    assert regression.describe() == (
        f"was predicted from costs, blocks and rung 0 PSNR with a mean error of {regression.error.mae:.3f} dB (of two "
        f"networks it named the better in {50 + 50 * regression.error.tau:.0f} % of cases) on networks that the "
        "prediction had not seen, each of 12 left out in turn"
    )
    assert "from costs and blocks with" in fit(EXAMPLES[:12]).describe()


def test_expected_unseen_is_what_fits_to_all_others_predict() -> None:
    examples = EXAMPLES[:9]
    for index, expected in enumerate(expected_unseen(examples, ["rung 0"])):
        left_out = examples[index]
        regression = fit(examples[:index] + examples[index + 1 :], ["rung 0"])
        predicted = regression.predict(left_out.architecture, left_out.complexity, left_out.cheap_psnr)
        assert expected == pytest.approx(predicted.psnr)
    with pytest.raises(InputError, match="judged on more than 6 networks, got 6"):
        expected_unseen(EXAMPLES[:6])


def test_equal_psnrs_have_no_tau() -> None:
    regression = fit([replace(each, psnr=27.0) for each in EXAMPLES[:8]])
    assert regression.error.tau is None
    assert regression.error.mae == pytest.approx(0, abs=1e-9)
    assert "(all the same)" in regression.describe()


@pytest.mark.parametrize(
    ("broken", "constraint"),
    [
        (replace(EXAMPLES[0], cheap_psnr={}), "takes the rung 0 PSNR in dB of every network, got None"),
        (replace(EXAMPLES[0], cheap_psnr={"rung 0": math.nan}), "the rung 0 PSNR .* got nan"),
        (replace(EXAMPLES[0], psnr=math.inf), "the final PSNR .* got inf"),
    ],
)
def test_psnr_that_is_missing_or_not_finite_is_named(broken: Example, constraint: str) -> None:
    with pytest.raises(InputError, match=constraint):
        fit([*EXAMPLES[:8], broken], ["rung 0"])
    if not broken.cheap_psnr:
        with pytest.raises(InputError, match=constraint):
            fit(EXAMPLES[:8], ["rung 0"]).predict(broken.architecture, broken.complexity, broken.cheap_psnr)


def test_features_of_a_known_network_and_of_an_empty_one() -> None:
    row = _features(MSRRESNET, Complexity(1_517_571, 166_000_000_000, 0, 292_550_000, 37, 1), {"s": 28.7}, ["s"])
    assert row[0] == pytest.approx(math.log10(166e9))
    assert list(row[3:6]) == [64, math.log10(16), 0]
    assert row[-1] == 28.7
    # One kind, one upsampler, one image skip, one aggregation: the rest is zero.
    assert row[6:-1].sum() == 4
    empty = repeated(8, "identity", 3)
    assert _features(empty, count(build(empty), (16, 16)), {}, [])[4] == 0
    padded = Architecture(16, (Block("identity"), Block("idle"), Block("identity")))
    bare, complexity = repeated(16, "idle", 1), count(build(padded), (16, 16))
    assert np.array_equal(_features(padded, complexity, {}, []), _features(bare, complexity, {}, []))
