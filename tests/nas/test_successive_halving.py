"""Who is promoted: by hand, and by the constraints on every ladder."""

import json
import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.successive_halving import Candidate, Ladder, Rung, ladder, promotable, promotion_quota, ranked, stale_keys
from sr.errors import InputError
from sr.pareto import dominates

STEPS = Ladder((3, 6, 12), 2)


def at(key: str, *psnr: float, ms: float = 1.0, activations: float = 1.0, **fields: object) -> Candidate:
    """A candidate that finished a rung of 100 steps for each PSNR."""
    rungs = tuple(Rung(100 * (index + 1), value, 1.0) for index, value in enumerate(psnr))
    return replace(Candidate(key, ms, activations, rungs), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "rungs", "eta", "expected"),
    [(1600, 3, 4, (100, 400, 1600)), (1000, 3, 4, (62, 250, 1000)), (90, 2, 3, (30, 90)), (7, 1, 4, (7,))],
)
def test_ladder_of_steps_and_rungs_is_that_by_hand(steps: int, rungs: int, eta: int, expected: tuple[int, ...]) -> None:
    made = ladder(steps, rungs, eta)
    assert made == Ladder(expected, eta)
    assert made.top == rungs - 1
    assert sum(made.more_steps(rung) for rung in range(rungs)) == steps


@pytest.mark.parametrize(
    ("steps", "rungs", "eta", "constraint"),
    [
        (5, 3, 4, r"each rung must take more steps .*\[0, 1, 5\]"),
        (100, 0, 4, r"each rung must take more steps .*\[\]"),
        (100, 3, 1, "one of at least 2 candidates .* got one of 1"),
        (100, 3, 0, "one of at least 2 candidates .* got one of 0"),
    ],
)
def test_ladder_that_breaks_a_constraint_is_refused(steps: int, rungs: int, eta: int, constraint: str) -> None:
    with pytest.raises(InputError, match=constraint):
        ladder(steps, rungs, eta)


def test_rung_comes_back_from_json_and_its_psnr_is_finite() -> None:
    rung = Rung(100, 27.25, 1.5)
    assert Rung.from_json(json.loads(json.dumps(rung.to_json()))) == rung
    told = Rung(100, 27.25, 1.5, psnr_y=28.75)
    assert Rung.from_json(json.loads(json.dumps(told.to_json()))) == told
    # As earlier versions left it.
    assert Rung.from_json({"steps": 100, "psnr": 27.25, "seconds": 1.5}) == rung
    with pytest.raises(ValueError, match="the PSNR of a rung is finite, got nan"):
        Rung(100, math.nan, 1.5)


def test_who_trains_beside_one_that_was_promoted_is_promoted_after_the_best_and_once() -> None:
    steps = ladder(1600)
    known = [at("a", 25.0, 25.5, 25.6), at("b", 20.0, beside=True), at("c", 21.0)]
    assert promotable(known, steps) == "b"
    assert "b" not in stale_keys(known, steps, 3)
    assert promotable([*known, at("d", 26.0)], steps) == "d"
    assert promotable([known[0], at("b", 20.0, beside=True, state="training")], steps) is None
    assert promotable([known[0], at("b", 20.0, beside=True, feasible=False)], steps) is None
    # On the second rung it is one of all.
    assert promotable([known[0], at("b", 20.0, 20.5, beside=True)], steps) is None
    assert promotable([at("b", 20.0, beside=True)], ladder(100, 1)) is None


def test_best_of_every_four_is_promoted() -> None:
    """Equal costs: the PSNR alone decides, and of four one goes on."""
    steps = ladder(1600)
    known = [at("a", 25.0), at("b", 27.0), at("c", 26.0)]
    assert promotable([], steps) is None
    assert promotable(known, steps) is None
    known.append(at("d", 24.0))
    assert promotable(known, steps) == "b"
    known[1] = at("b", 27.0, state="training")
    assert promotable(known, steps) is None
    # The first on the second rung goes on at once.
    known[1] = at("b", 27.0, 27.5)
    assert promotable(known, steps) == "b"
    known[1] = at("b", 27.0, 27.5, 27.8)
    assert promotable(known, steps) is None
    # Of eight two go on, and the one that went already is the second best now.
    known += [at("e", 27.2), at("f", 23.0), at("g", 23.0), at("h", 23.0)]
    assert promotable(known, steps) == "e"
    known[4] = at("e", 27.2, state="failed")
    assert promotable(known, steps) is None


@pytest.mark.parametrize(
    ("finished", "rung", "expected"),
    [(0, 0, 0), (3, 0, 0), (4, 0, 1), (8, 0, 2), (0, 1, 0), (1, 1, 1), (7, 1, 1), (8, 1, 2), (1, 2, 1)],
)
def test_promotion_quota_of_those_that_finished_is_that_by_hand(finished: int, rung: int, expected: int) -> None:
    assert promotion_quota(finished, rung, 4) == expected


def test_promotions_begin_at_the_top_rung_and_end_there() -> None:
    steps = Ladder((100, 200, 300), 2)
    known = [at("a", 25.0, 26.0), at("b", 27.0, 28.0), at("c", 29.0), at("d", 20.0)]
    assert promotable(known, steps) == "b"
    known[1] = at("b", 27.0, 28.0, 29.0)
    assert promotable(known, steps) == "c"
    known[2] = at("c", 29.0, 30.0, 31.0)
    assert promotable(known, steps) is None


def test_candidate_over_the_budget_counts_and_is_never_promoted() -> None:
    known = [at("a", 29.0, feasible=False), at("b", 25.0), at("c", 24.0, feasible=False), at("d", 23.0, feasible=False)]
    assert [each.key for each in ranked(known, 0)] == ["b", "a", "c", "d"]
    assert promotable(known, Ladder((100, 200), 4)) == "b"
    known[1] = at("b", 25.0, 26.0)
    assert promotable(known, Ladder((100, 200), 2)) is None


def test_promotion_follows_the_given_score() -> None:
    known = [at("a", 25.0), at("b", 27.0)]
    assert promotable(known, Ladder((100, 200), 2)) == "b"
    assert promotable(known, Ladder((100, 200), 2), lambda candidate, rung: -candidate.rungs[rung].psnr) == "a"


def test_front_is_ranked_by_psnr_and_every_third_is_who_stands_most_alone() -> None:
    # All on one front: more PSNR, more time. The ends are `a` and `f`; of the inner ones `b` stands most alone.
    known = [
        at(key, psnr, ms=ms)
        for key, psnr, ms in zip("abcdef", (30, 26, 25.9, 25.8, 25.7, 20), range(6, 0, -1), strict=True)
    ]
    assert [each.key for each in ranked(known, 0)] == ["a", "b", "f", "c", "d", "e"]
    assert ranked([], 0) == []


def test_dominated_candidates_rank_after_the_front() -> None:
    known = [at("slow", 27.0, ms=9.0), at("fast", 25.0, ms=1.0), at("worse", 26.9, ms=9.5), at("worst", 24.0, ms=9.9)]
    assert [each.key for each in ranked(known, 0)] == ["slow", "fast", "worse", "worst"]


FEW = st.integers(0, 4).map(float)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    """Candidates on the rungs of `STEPS` with few values, so that some are equal and many dominated."""
    return [
        at(
            f"{number:02d}",
            *draw(st.lists(FEW, max_size=3)),
            ms=draw(FEW),
            activations=draw(FEW),
            feasible=draw(st.integers(0, 3)) > 0,
            state=draw(st.sampled_from(("waiting", "waiting", "training", "failed"))),
        )
        for number in range(draw(st.integers(0, 12)))
    ]


@settings(max_examples=60, deadline=None)
@given(candidates(), st.randoms(use_true_random=False))
def test_nobody_is_promoted_before_who_dominates_it(known: list[Candidate], rng: Random) -> None:
    chosen = promotable(known, STEPS)
    shuffled = list(known)
    rng.shuffle(shuffled)
    assert promotable(shuffled, STEPS) == chosen
    if chosen is None:
        return
    promoted = next(each for each in known if each.key == chosen)
    rung = len(promoted.rungs) - 1
    assert promoted.feasible
    assert promoted.state == "waiting"
    assert rung < STEPS.top
    peers = [each for each in known if len(each.rungs) > rung and each.feasible and not each.promoted_from(rung)]

    def point(each: Candidate) -> tuple[float, float, float]:
        return -each.rungs[rung].psnr, each.runtime_ms, each.activations

    assert not any(dominates(point(each), point(promoted)) for each in peers)


@settings(max_examples=30, deadline=None)
@given(candidates())
def test_promotions_come_to_an_end_and_each_was_of_the_best(known: list[Candidate]) -> None:
    while (chosen := promotable(known, STEPS)) is not None:
        index = next(index for index, each in enumerate(known) if each.key == chosen)
        each = known[index]
        rung = len(each.rungs) - 1
        # Of those that are there then: who comes later may be better, and is promoted too.
        order = ranked(known, rung)
        assert each in order[: promotion_quota(len(order), rung, STEPS.eta)]
        more = Rung(100 * (len(each.rungs) + 1), each.rungs[-1].psnr + 1, 1.0)
        known[index] = replace(each, rungs=(*each.rungs, more))
    assert all(len(each.rungs) <= STEPS.top + 1 for each in known)


def test_stale_keys_are_those_that_the_quotas_never_reach() -> None:
    steps = Ladder((100, 200, 300), 2)
    known = [
        *(at(f"{number}", 30.0 - number) for number in range(6)),
        at("x", 40.0, feasible=False),
        at("y", 41.0, state="failed"),
        at("t", 20.0, state="training"),
        at("z", 42.0, 43.0, 44.0),
    ]
    # Ten finished the first rung: five go on, of which `z` and `y` are two.
    assert stale_keys(known, steps, expected=10) == ["x", "y", "3", "4", "5"]
    # Where twelve more are to come eleven go on.
    assert stale_keys(known, steps, expected=22) == ["x", "y"]


@settings(max_examples=30, deadline=None)
@given(candidates())
def test_stale_keys_hold_neither_the_next_promoted_nor_who_trains(known: list[Candidate]) -> None:
    gone = stale_keys(known, STEPS, expected=len(known))
    assert promotable(known, STEPS) not in gone
    assert len(gone) == len(set(gone))
    kept = {each.key for each in known} - set(gone)
    assert kept >= {each.key for each in known if each.state == "training"}
