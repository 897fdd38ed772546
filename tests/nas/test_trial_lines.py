"""What is told of a search while it goes on."""

import math
from collections.abc import Callable
from dataclasses import replace

from nas.successive_halving import Rung
from nas.time_budget import TimeBudget
from nas.trial import Trial
from nas.trial_lines import standing, trial_line
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET, repeated

Outcome = Callable[[int, Architecture], Trial]
SMALL = repeated(8, "idle", 1)


def test_trial_is_one_line(outcome: Outcome) -> None:
    trained, over = outcome(0, SMALL), replace(outcome(1, MSRRESNET), reason="is over the budget")
    line = trial_line(trained, [trained, over], TimeBudget(600.0, None))
    assert "\n" not in line
    assert f"trial 0: {trained.psnr:.2f} dB" in line
    assert "left to search" in line
    assert "infeasible: is over the budget" in trial_line(over, [trained, over], TimeBudget(math.inf, 2))
    higher = replace(trained, rungs=(Rung(20, 25.0, 1.0), Rung(80, 26.5, 2.0)))
    line = trial_line(higher, [higher], TimeBudget(math.inf, 2))
    assert "trial 0: 25.00 -> 26.50 dB after 80 steps, " in line
    assert "best 26.50 dB" in line


def test_standing_counts_every_network_once(outcome: Outcome) -> None:
    trained, over = outcome(0, SMALL), outcome(1, MSRRESNET)
    again, waiting = replace(trained, number=2, duplicate_of=0), replace(outcome(3, SMALL), state="put off")
    budget = TimeBudget(600.0, None)
    facts = standing([trained, over, again, waiting], 123456.0, budget)
    by_name = dict(facts.facts)
    assert by_name["candidates"] == "3 tried, 1 trained, 50 % within the budget, 1 put off"
    assert by_name["best"] == f"{trained.last_psnr:.2f} dB, {trained.runtime_ms:.1f} ms: {SMALL.summary}"
    assert by_name["front"] == "1 network, hypervolume 1.23e+05"
    assert facts.ends_at == budget.began + 600


def test_standing_before_the_first_candidate_has_no_shares(outcome: Outcome) -> None:
    none = standing([], 0.0, TimeBudget(math.inf, 4))
    assert dict(none.facts) == {
        "candidates": "0 tried, 0 trained", "best": "none within the budget yet", "front": "0 networks",
    }  # fmt: skip
    assert math.isinf(none.ends_at)
    over = standing([outcome(0, MSRRESNET)], 0.0, TimeBudget(math.inf, 4))
    assert "0 % within the budget" in dict(over.facts)["candidates"]
