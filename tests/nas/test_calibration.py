"""What cheap scores are worth: trained in full on one way, by rungs on another, and judged by hand."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.calibration import Known, in_full, psnr_of, rankings, scored
from nas.evaluate import Setup
from nas.jobs import Desk
from nas.rungs import Ladder, Rung, drawn, ladder
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.network import build
from search_spaces.supernet import Supernet
from sr.complexity import count
from sr.training import fit

SMALL = repeated(8, "branched_conv", 1)
STEPS = ladder(16, 3)


@pytest.fixture(scope="module")
def sixteen(setup: Setup) -> Setup:
    return replace(setup, recipe=replace(setup.recipe, steps=16))


@pytest.fixture(scope="module")
def trained(sixteen: Setup, tmp_path_factory: pytest.TempPathFactory) -> tuple[Known, Path]:
    folder = tmp_path_factory.mktemp("trainings")
    return in_full(Desk(sixteen), SMALL, ladder=STEPS, folder=folder), folder


def test_the_truth_is_one_unbroken_training(trained: tuple[Known, Path], sixteen: Setup) -> None:
    known, folder = trained
    alone = fit(drawn(SMALL, sixteen.recipe, None), sixteen.recipe, sixteen.train, sixteen.device, quiet=True)
    assert known.psnr == psnr_of(alone.network, sixteen)
    assert [rung.steps for rung in known.rungs] == [1, 4]
    assert list(known.cheap_psnr) == ["rung 0", "rung 1"]
    assert known.complexity == count(build(SMALL), sixteen.lr_size)
    # Nothing is left but the figures.
    assert list(folder.iterdir()) == []


def test_equal_networks_are_equally_good(trained: tuple[Known, Path], sixteen: Setup, tmp_path: Path) -> None:
    known, again = trained[0], in_full(Desk(sixteen), SMALL, ladder=STEPS, folder=tmp_path)
    assert (again.psnr, again.cheap_psnr) == (known.psnr, known.cheap_psnr)


def test_json_round_trip(trained: tuple[Known, Path]) -> None:
    for known in (trained[0], replace(trained[0], supernet_psnr=21.5, rungs=())):
        assert Known.from_json(json.loads(json.dumps(known.to_json()))) == known


def test_a_supernet_scores_each(trained: tuple[Known, Path], sixteen: Setup) -> None:
    torch.manual_seed(3)
    supernet = Supernet(MSRRESNET_SPACE, 8, 1).eval()
    (known,) = scored([trained[0]], supernet, sixteen)
    assert known.supernet_psnr == psnr_of(supernet.extract(SMALL), sixteen)
    assert replace(known, supernet_psnr=None) == trained[0]


def networks(number: int) -> list[Architecture]:
    rng = random.Random(1)
    found = {one.key: one for one in (MSRRESNET_SPACE.decode(MSRRESNET_SPACE.sample(rng)) for _ in range(4 * number))}
    return list(found.values())[:number]


def known_by_hand(early: list[float], *, supernet: bool) -> list[Known]:
    """Return networks whose PSNR in full is their number, with these PSNRs on the first rung and ten more later."""
    return [
        Known(each, count(build(each), (16, 16)), float(number), 4.0,
              (Rung(1, psnr, 1.0), Rung(4, psnr + 10, 1.0)), -float(number) if supernet else None)
        for number, (each, psnr) in enumerate(zip(networks(len(early)), early, strict=True))
    ]  # fmt: skip


def test_scores_are_ranked_by_hand() -> None:
    early = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 6.0]
    found = {each.name: each for each in rankings(known_by_hand(early, supernet=True), Ladder((1, 4, 16)), 0.05)}
    assert set(found) == {
        "params", "multi_adds", "activations", "rung 0", "rung 1", "supernet", "regression", "regression + rung 0",
        "regression + rung 1", "regression + supernet", "regression + supernet + rung 0",
    }  # fmt: skip
    # One of 28 pairs is put wrong.
    assert found["rung 0"].tau == pytest.approx(26 / 28)
    assert found["supernet"].tau == pytest.approx(-1)
    # A rung takes those below it too, each a second of the four of a full training.
    shares = {name: found[name].cost_share for name in ("params", "rung 0", "rung 1", "supernet", "regression")}
    assert shares == {"params": 0.0, "rung 0": 0.25, "rung 1": 0.5, "supernet": 0.05, "regression": 0.0}
    assert found["regression + supernet + rung 0"].cost_share == pytest.approx(0.05 + 0.25)
    assert found["rung 0"].top3_in_first6 == 3


def test_without_a_supernet_it_is_not_ranked() -> None:
    names = [each.name for each in rankings(known_by_hand([1.0] * 8, supernet=False), Ladder((1, 4, 16)), None)]
    assert not [name for name in names if "supernet" in name]
    by_name = {each.name: each for each in rankings(known_by_hand([1.0] * 8, supernet=False), Ladder((1, 4, 16)), None)}
    assert by_name["rung 0"].tau is None
