"""Rungs: who is promoted, by hand and by law, and a training in pieces that equals an unbroken one."""

import copy
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nas.rungs import (
    Candidate,
    Ladder,
    Rung,
    drawn,
    ladder,
    places,
    promotable,
    ranking,
    remove_weights,
    rung_recipe,
    spread,
    surplus,
    train_rung,
    weights_path,
)
from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.checkpoint import load_network
from sr.data import load_pairs
from sr.errors import InputError
from sr.pairs import Pairs
from sr.pareto import dominates
from sr.recipe import Recipe
from sr.trainer import Trainer
from sr.training import Fitted, fit, save_state

CPU = torch.device("cpu")
TINY = repeated(8, "branched_conv", 1)
RECIPE = Recipe(steps=99, batch=2, patch=6, precision="float32", memory_format="contiguous")
STEPS = Ladder((3, 6, 12), 2)


@pytest.fixture(autouse=True)
def _own_locks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody else's measurements."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.getbasetemp()))


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return load_pairs(None, "val", report=print).centre_crops(16, 2)


def at(key: str, *psnr: float, ms: float = 1.0, activations: float = 1.0, **fields: object) -> Candidate:
    """A candidate that finished a rung of 100 steps for each PSNR."""
    rungs = tuple(Rung(100 * (index + 1), value, 1.0) for index, value in enumerate(psnr))
    return replace(Candidate(key, ms, activations, rungs), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "rungs", "eta", "expected"),
    [(1600, 3, 4, (100, 400, 1600)), (1000, 3, 4, (62, 250, 1000)), (90, 2, 3, (30, 90)), (7, 1, 4, (7,))],
)
def test_a_ladder_by_hand(steps: int, rungs: int, eta: int, expected: tuple[int, ...]) -> None:
    made = ladder(steps, rungs, eta)
    assert made == Ladder(expected, eta)
    assert made.top == rungs - 1
    assert sum(made.more_steps(rung) for rung in range(rungs)) == steps


@pytest.mark.parametrize(
    ("steps", "rungs", "eta", "law"),
    [
        (5, 3, 4, r"each rung must take more steps .*\[0, 1, 5\]"),
        (100, 0, 4, r"each rung must take more steps .*\[\]"),
        (100, 3, 1, "one of at least 2 candidates .* got one of 1"),
        (100, 3, 0, "one of at least 2 candidates .* got one of 0"),
    ],
)
def test_a_ladder_keeps_its_laws(steps: int, rungs: int, eta: int, law: str) -> None:
    with pytest.raises(InputError, match=law):
        ladder(steps, rungs, eta)


def test_a_rung_comes_back_from_json() -> None:
    rung = Rung(100, 27.25, 1.5)
    assert Rung.from_json(json.loads(json.dumps(rung.to_json()))) == rung
    with pytest.raises(ValueError, match="the PSNR of a rung is finite, got nan"):
        Rung(100, math.nan, 1.5)


def test_who_is_promoted_by_hand() -> None:
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
def test_places_by_hand(finished: int, rung: int, expected: int) -> None:
    assert places(finished, rung, 4) == expected


def test_the_top_rung_comes_first_and_ends_there() -> None:
    steps = Ladder((100, 200, 300), 2)
    known = [at("a", 25.0, 26.0), at("b", 27.0, 28.0), at("c", 29.0), at("d", 20.0)]
    assert promotable(known, steps) == "b"
    known[1] = at("b", 27.0, 28.0, 29.0)
    assert promotable(known, steps) == "c"
    known[2] = at("c", 29.0, 30.0, 31.0)
    assert promotable(known, steps) is None


def test_over_the_budget_nobody_is_promoted() -> None:
    known = [at("a", 29.0, feasible=False), at("b", 25.0), at("c", 24.0, feasible=False), at("d", 23.0, feasible=False)]
    assert [each.key for each in ranking(known, 0)] == ["b", "a", "c", "d"]
    assert promotable(known, Ladder((100, 200), 4)) == "b"
    known[1] = at("b", 25.0, 26.0)
    assert promotable(known, Ladder((100, 200), 2)) is None


def test_the_score_is_given() -> None:
    known = [at("a", 25.0), at("b", 27.0)]
    assert promotable(known, Ladder((100, 200), 2)) == "b"
    assert promotable(known, Ladder((100, 200), 2), lambda candidate, rung: -candidate.rungs[rung].psnr) == "a"


def test_a_front_is_ordered_by_psnr_and_every_third_place_goes_to_its_ends() -> None:
    # All on one front: more PSNR, more time. The ends are `a` and `f`; of the inner ones `b` stands most alone.
    front = {
        key: (-psnr, ms)
        for key, psnr, ms in zip("abcdef", (30, 26, 25.9, 25.8, 25.7, 20), range(6, 0, -1), strict=True)
    }
    assert spread(front) == ["a", "b", "f", "c", "d", "e"]
    assert spread({}) == []


def test_what_is_dominated_comes_after_the_front() -> None:
    known = [at("slow", 27.0, ms=9.0), at("fast", 25.0, ms=1.0), at("worse", 26.9, ms=9.5), at("worst", 24.0, ms=9.9)]
    assert [each.key for each in ranking(known, 0)] == ["slow", "fast", "worse", "worst"]


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
def test_no_one_is_promoted_before_who_dominates_it(known: list[Candidate], rng: Random) -> None:
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
        ranked = ranking(known, rung)
        assert each in ranked[: places(len(ranked), rung, STEPS.eta)]
        more = Rung(100 * (len(each.rungs) + 1), each.rungs[-1].psnr + 1, 1.0)
        known[index] = replace(each, rungs=(*each.rungs, more))
    assert all(len(each.rungs) <= STEPS.top + 1 for each in known)


def test_whose_weights_may_go_by_hand() -> None:
    steps = Ladder((100, 200, 300), 2)
    known = [
        *(at(f"{number}", 30.0 - number) for number in range(6)),
        at("x", 40.0, feasible=False),
        at("y", 41.0, state="failed"),
        at("t", 20.0, state="training"),
        at("z", 42.0, 43.0, 44.0),
    ]
    # Ten finished the first rung: five places, of which `z` and `y` have two.
    assert surplus(known, steps, expected=10) == ["x", "y", "3", "4", "5"]
    # Where twelve more are to come there are eleven places.
    assert surplus(known, steps, expected=22) == ["x", "y"]


@settings(max_examples=30, deadline=None)
@given(candidates())
def test_weights_that_are_needed_next_never_go(known: list[Candidate]) -> None:
    gone = surplus(known, STEPS, expected=len(known))
    assert promotable(known, STEPS) not in gone
    assert len(gone) == len(set(gone))
    kept = {each.key for each in known} - set(gone)
    assert kept >= {each.key for each in known if each.state == "training"}


def test_a_rung_anneals_what_it_adds_on_patches_of_its_own() -> None:
    steps = ladder(1600)
    first, last = (rung_recipe(replace(RECIPE, schedule="constant"), steps, rung) for rung in (0, 2))
    assert (first.steps, first.warmup_steps, first.schedule, first.seed) == (100, 20, "cosine", RECIPE.seed)
    assert (last.steps, last.warmup_steps) == (1200, 50)
    assert first.seed != last.seed
    assert last.learning_rate_at(last.steps) == pytest.approx(RECIPE.minimum_learning_rate)
    assert last.learning_rate_at(last.warmup_steps) == RECIPE.learning_rate


def state_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(left: nn.Module, right: nn.Module) -> bool:
    """Tell whether two networks have the same weights, bit for bit."""
    ours, theirs = left.state_dict(), right.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def climb(rung: int, pairs: Pairs, folder: Path, recipe: Recipe = RECIPE, **given: nn.Module) -> Fitted:
    return train_rung(TINY, rung, STEPS, recipe, pairs, CPU, folder, **given)


@pytest.mark.parametrize("ema_decay", [0.0, 0.5])
def test_rungs_are_fits_that_go_on_from_each_other(ema_decay: float, pairs: Pairs, tmp_path: Path) -> None:
    recipe = replace(RECIPE, ema_decay=ema_decay)
    network: nn.Module = drawn(TINY, recipe, None)
    for rung in range(3):
        own = rung_recipe(recipe, STEPS, rung)
        by_hand = fit(network, own, pairs, CPU, quiet=True)
        climbed = climb(rung, pairs, tmp_path, recipe)
        assert equal(climbed.network, by_hand.network)
        assert (climbed.recipe, climbed.loss) == (own, by_hand.loss)
        assert not climbed.network.training
        network = copy.deepcopy(by_hand.network)
    assert [path.name for path in tmp_path.iterdir()] == [f"{TINY.key}.pth"]
    assert equal(load_network(weights_path(tmp_path, TINY.key)), network)


def test_a_killed_rung_goes_on_as_if_nothing_had_happened(pairs: Pairs, tmp_path: Path) -> None:
    climb(0, pairs, tmp_path / "whole")
    whole = climb(1, pairs, tmp_path / "whole")
    killed = tmp_path / "killed"
    climb(0, pairs, killed)
    begun = Trainer(load_network(weights_path(killed, TINY.key)), rung_recipe(RECIPE, STEPS, 1), pairs, CPU)
    begun.step()
    save_state(killed / f"{TINY.key}.rung1.state", begun)
    went_on = climb(1, pairs, killed)
    assert equal(went_on.network, whole.network)
    assert [path.name for path in killed.iterdir()] == [f"{TINY.key}.pth"]


def test_a_killed_rung_goes_on_from_its_state_alone(pairs: Pairs, tmp_path: Path) -> None:
    own = rung_recipe(RECIPE, STEPS, 0)
    torch.manual_seed(7)
    begun = Trainer(build(TINY), own, pairs, CPU)
    for _ in range(own.steps - 1):
        begun.step()
    save_state(tmp_path / f"{TINY.key}.rung0.state", begun)
    begun.step()
    # Not what the recipe's own seed would have drawn, so it was the state that was read.
    assert not equal(begun.network, climb(0, pairs, tmp_path / "drawn").network)
    assert equal(begun.network, climb(0, pairs, tmp_path).network)


def test_a_finished_rung_is_read_and_not_trained_again(pairs: Pairs, tmp_path: Path) -> None:
    first = climb(1, pairs, tmp_path)
    written = weights_path(tmp_path, TINY.key).read_bytes()
    again = climb(1, pairs, tmp_path)
    assert weights_path(tmp_path, TINY.key).read_bytes() == written
    assert equal(again.network, first.network)
    assert (again.loss, again.seconds, again.recipe) == (first.loss, first.seconds, first.recipe)


def test_lost_weights_are_trained_again(pairs: Pairs, tmp_path: Path) -> None:
    climb(1, pairs, tmp_path)
    (tmp_path / f"{TINY.key}.rung2.state").touch()
    (tmp_path / "other.pth").touch()
    remove_weights(tmp_path, [TINY.key, "never there"])
    assert [path.name for path in tmp_path.iterdir()] == ["other.pth"]
    straight = climb(2, pairs, tmp_path)
    assert equal(straight.network, climb(2, pairs, tmp_path / "straight").network)
    # A lower rung than the one that lies there: from the start.
    assert equal(climb(0, pairs, tmp_path).network, climb(0, pairs, tmp_path / "low").network)


def test_it_starts_from_inherited_weights(pairs: Pairs, tmp_path: Path) -> None:
    torch.manual_seed(7)
    inherited = build(TINY)
    before = state_of(inherited)
    still = replace(RECIPE, learning_rate=0.0, minimum_learning_rate=0.0)
    assert equal(climb(0, pairs, tmp_path, still, initial=inherited).network, inherited)
    assert all(torch.equal(before[name], tensor) for name, tensor in inherited.state_dict().items())
    assert not equal(climb(0, pairs, tmp_path / "drawn", still).network, inherited)
    with pytest.raises(InputError, match="the initial weights are not those of 8ch 1x branched_conv"):
        climb(0, pairs, tmp_path / "other", initial=build(repeated(12, "branched_conv", 1)))


def test_what_was_settled_on_the_first_rung_stays(pairs: Pairs, tmp_path: Path) -> None:
    settled = climb(0, pairs, tmp_path, replace(RECIPE, memory_format="channels_last"))
    left_open = climb(1, pairs, tmp_path, replace(RECIPE, memory_format="fastest", precision="fastest"))
    assert left_open.recipe.memory_format == settled.recipe.memory_format == "channels_last"
    assert left_open.recipe.precision == "float32"


def test_it_learns_from_a_teacher(pairs: Pairs, tmp_path: Path) -> None:
    distilling = replace(RECIPE, distillation=0.5)
    teacher = build(repeated(8, "residual_leaky", 1))
    assert climb(0, pairs, tmp_path, distilling, teacher=teacher).recipe.distillation == 0.5


def test_weights_of_something_else_are_refused(pairs: Pairs, tmp_path: Path) -> None:
    fitted = climb(0, pairs, tmp_path)
    assert asdict(fitted.recipe)["steps"] == 3
    with pytest.raises(InputError, match="was trained by another recipe; remove it"):
        climb(1, pairs, tmp_path, replace(RECIPE, batch=1))
    with pytest.raises(InputError, match=r"is of another ladder, \[3\] steps"):
        train_rung(TINY, 1, Ladder((4, 6)), RECIPE, pairs, CPU, tmp_path)
    weights_path(tmp_path, TINY.key).write_bytes(b"torn")
    with pytest.raises(InputError, match="is no checkpoint"):
        climb(1, pairs, tmp_path)
