"""The record of one candidate."""

import json
from collections.abc import Callable
from dataclasses import replace

from nas.trial import Trial, front_of, trained_once
from search_spaces.msrresnet import MSRRESNET, repeated


def test_json_round_trip(outcome: Callable[..., Trial]) -> None:
    for trial in (
        outcome(3, repeated(16, "idle", 2)),
        replace(outcome(4, MSRRESNET), reason="over the budget"),
        Trial(5, MSRRESNET, "failed", None, "the loss is nan before step 20", 1.5),
        replace(outcome(6, repeated(16, "idle", 2)), duplicate_of=3),
    ):
        assert Trial.from_json(json.loads(json.dumps(trial.to_json()))) == trial


def test_the_front_holds_trained_networks_once_and_none_that_is_dominated(outcome: Callable[..., Trial]) -> None:
    small, large = outcome(0, repeated(8, "branched_conv", 1)), outcome(1, repeated(16, "branched_conv", 4))
    worse = replace(large, number=2, measurement=replace(small.measurement, runtime=large.measurement.runtime))
    copied = replace(large, number=3, duplicate_of=1)
    over = outcome(4, MSRRESNET)
    assert over.state == "infeasible"
    assert [trial.number for trial in front_of([small, large, worse, copied, over])] == [1, 0]
    assert [trial.number for trial in trained_once([small, copied, over])] == [0]
