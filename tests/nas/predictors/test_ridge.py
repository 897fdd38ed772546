"""Ridge regression: its leave-one-out identity, its units, and what it does with much and with no penalty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.predictors.ridge import Floats, _leave_one_out, fit_best_ridge, fit_ridge

PENALTIES = (0.03, 0.3, 3.0, 30.0, 300.0)


def flat(rows: Floats) -> Floats:
    return np.ones(rows.shape[1])


def random_table(seed: int, count: int, width: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)), rng.normal(size=count)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 12), st.integers(1, 15), st.sampled_from(PENALTIES))
def test_leave_one_out_is_what_explicit_refits_give(seed: int, count: int, width: int, penalty: float) -> None:
    rows, targets = random_table(seed, count, width)
    rows -= rows.mean(axis=0)
    # The last one pays less, as a cheap PSNR does.
    penalties = np.array([penalty] * (width - 1) + [penalty / 7])
    for index, missed in enumerate(_leave_one_out(rows, targets, penalties)):
        others = np.arange(count) != index
        # The intercept is a column that no penalty holds back.
        design = np.hstack([np.ones((count - 1, 1)), rows[others]])
        held = np.diag([0.0, *penalties])
        weights = np.linalg.solve(design.T @ design + held, design.T @ targets[others])
        assert missed == pytest.approx(weights[0] + rows[index] @ weights[1:] - targets[index], rel=1e-6, abs=1e-8)


def test_fit_is_the_solution_of_the_penalised_normal_equations() -> None:
    rows, targets = random_table(4, 9, 3)
    penalties = np.array([0.5, 1.0, 20.0])
    model = fit_ridge(rows, targets, penalties)
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    weights = np.linalg.solve(standard.T @ standard + np.diag(penalties), standard.T @ (targets - targets.mean()))
    assert model.weights == pytest.approx(weights)
    for row, at in zip(rows, standard, strict=True):
        assert model.predict(row) == pytest.approx(targets.mean() + at @ weights)


def test_units_of_the_features_make_no_difference() -> None:
    rows, targets = random_table(5, 10, 4)
    units = np.array([1e-3, 1.0, 1e3, 1e6])
    plain, scaled = (fit_ridge(each, targets, flat(each)) for each in (rows, rows * units + 7))
    for row in rows:
        assert scaled.predict(row * units + 7) == pytest.approx(plain.predict(row))
        assert scaled.leverage(row * units + 7) == pytest.approx(plain.leverage(row))


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1e9 / 3])
def test_feature_that_never_varied_teaches_nothing_and_is_doubted_where_it_varies(constant: float) -> None:
    rows, targets = random_table(6, 7, 2)
    wider = np.column_stack([rows, np.full(7, constant)])
    narrow, wide = fit_ridge(rows, targets, flat(rows)), fit_ridge(wider, targets, flat(wider))
    assert wide.weights[2] == pytest.approx(0, abs=1e-9)
    seen, elsewhere = np.append(rows[0], constant), np.append(rows[0], constant + 1)
    assert wide.predict(elsewhere) == pytest.approx(narrow.predict(rows[0]))
    assert wide.leverage(seen) == pytest.approx(narrow.leverage(rows[0]))
    assert wide.leverage(elsewhere) == pytest.approx(narrow.leverage(rows[0]) + 1)


def test_leverage_of_the_centre_is_that_of_the_mean_alone() -> None:
    rows, targets = random_table(7, 8, 3)
    model = fit_ridge(rows, targets, flat(rows))
    assert model.leverage(rows.mean(axis=0)) == pytest.approx(1 / 8)
    assert all(model.leverage(row) > 1 / 8 for row in rows)


def test_vanishing_penalty_gives_least_squares() -> None:
    rows, _ = random_table(1, 40, 3)
    model = fit_best_ridge(rows, rows @ np.array([1.0, -2.0, 0.5]) + 7, flat(rows), PENALTIES)
    assert model.predict(np.array([1.0, 1.0, 1.0])) == pytest.approx(6.5, abs=0.01)


def test_noise_alone_is_answered_with_the_mean() -> None:
    rows, targets = random_table(2, 12, 20)
    model = fit_best_ridge(rows, targets, flat(rows), PENALTIES)
    # Least squares would follow all of it: there are more features than examples.
    assert np.std([model.predict(row) for row in rows]) < 0.25 * np.std(targets)


def test_best_penalty_is_that_of_the_least_leave_one_out_errors_and_of_equals_the_larger() -> None:
    rows, targets = random_table(8, 9, 3)
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    errors = {each: np.sum(_leave_one_out(standard, targets, each * flat(rows)) ** 2) for each in PENALTIES}
    best = min(PENALTIES, key=errors.__getitem__)
    chosen = fit_best_ridge(rows, targets, flat(rows), PENALTIES)
    assert chosen.weights == pytest.approx(fit_ridge(rows, targets, best * flat(rows)).weights)
    # Where nothing is to be explained all err the same.
    even = fit_best_ridge(rows, np.zeros(9), flat(rows), PENALTIES)
    assert even.inverse == pytest.approx(fit_ridge(rows, np.zeros(9), max(PENALTIES) * flat(rows)).inverse)
