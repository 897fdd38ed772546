"""What the trials say of networks: an equal one's outcome, whether to give up, and how long one takes."""

from collections.abc import Callable
from dataclasses import replace

from nas.known_networks import by_key, nothing_is_feasible, repeated, typical_seconds
from nas.successive_halving import Rung
from nas.trial import Trial
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import MSRRESNET
from search_spaces.msrresnet import repeated as blocks

Outcome = Callable[[int, Architecture], Trial]


def test_equal_network_is_answered_from_the_record(outcome: Outcome) -> None:
    before = outcome(3, blocks(16, "idle", 2))
    padded = replace(before.architecture, blocks=(Block("identity"), *before.architecture.blocks))
    trial = repeated(9, padded, by_key([before]))
    assert trial is not None
    assert (trial.number, trial.duplicate_of, trial.measurement) == (9, 3, before.measurement)
    assert trial.architecture == padded
    assert repeated(9, MSRRESNET, by_key([before])) is None


def test_budget_is_given_up_when_nothing_of_many_meets_it(outcome: Outcome) -> None:
    over = outcome(0, MSRRESNET)
    assert over.state == "infeasible"
    many = {str(index): over for index in range(30)}
    assert nothing_is_feasible(many)
    assert not nothing_is_feasible(dict(list(many.items())[1:]))
    assert not nothing_is_feasible(many | {"met": outcome(1, blocks(8, "idle", 1))})


def test_typical_length_is_that_of_trained_candidates_up_to_their_first_rung(outcome: Outcome) -> None:
    trained = outcome(0, blocks(8, "idle", 1))
    lengths = [replace(trained, seconds=seconds) for seconds in (3.0, 9.0, 5.0)]
    higher = replace(trained, seconds=60.0, rungs=(Rung(1, 25.0, 2.0), Rung(4, 26.0, 55.0)))
    assert typical_seconds([*lengths, replace(outcome(1, MSRRESNET), seconds=100.0)]) == 5.0
    assert typical_seconds([higher]) == 5.0
    assert typical_seconds([]) is None
