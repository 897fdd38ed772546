"""Our trials and spaces in Optuna's terms."""

from collections.abc import Callable

from optuna.distributions import CategoricalDistribution

from nas.optuna_backend.trials import constraints, distributions
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET, MSRRESNET_SPACE

Outcome = Callable[[int, Architecture], Trial]


def test_choices_of_a_space_are_categories_of_their_values() -> None:
    described = distributions(MSRRESNET_SPACE)
    assert list(described) == list(MSRRESNET_SPACE.choices)
    for name, values in MSRRESNET_SPACE.choices.items():
        assert described[name] == CategoricalDistribution(values)


def test_constraint_is_by_how_much_the_p90_misses_the_budget(outcome: Outcome) -> None:
    trial = outcome(0, MSRRESNET)
    assert trial.measurement is not None
    assert constraints(trial, 40.0) == {"runtime": trial.measurement.runtime.p90_ms - 40.0}
    assert constraints(Trial(1, MSRRESNET, "failed", None, "the loss is nan"), 40.0) == {}
