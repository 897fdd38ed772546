"""What cheap scores are worth: networks trained in full and, apart from that, by rungs; scores judged by hand."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.calibration.scores import TrainedNetwork, rank_scores, train_in_full, with_supernet_scores
from nas.evaluate import Setup
from nas.successive_halving import Ladder, Rung, ladder
from nas.training.rung_training import initial_network
from nas.training.worker_state import WorkerState
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.network import build
from search_spaces.supernet import Supernet
from sr.measure.complexity import count
from sr.measure.quality import evaluate
from sr.training.fit import fit

SMALL = repeated(8, "branched_conv", 1)
STEPS = ladder(16, 3)


@pytest.fixture(scope="module")
def sixteen(setup: Setup) -> Setup:
    return replace(setup, recipe=replace(setup.recipe, steps=16))


@pytest.fixture(scope="module")
def trained(sixteen: Setup, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedNetwork, Path]:
    folder = tmp_path_factory.mktemp("trainings")
    return train_in_full(WorkerState(sixteen), SMALL, ladder=STEPS, folder=folder), folder


def psnr_of(network: nn.Module, setup: Setup) -> float:
    return evaluate(network, setup.val, setup.target.device, with_ssim=False).psnr


@pytest.mark.numeric
def test_truth_is_one_unbroken_training(trained: tuple[TrainedNetwork, Path], sixteen: Setup) -> None:
    known, folder = trained
    alone = fit(initial_network(SMALL, sixteen.recipe, None), sixteen.recipe, sixteen.train, sixteen.target.device)
    assert known.psnr == psnr_of(alone.network, sixteen)
    assert [rung.steps for rung in known.rungs] == [1, 4]
    assert list(known.cheap_psnr) == ["rung 0", "rung 1"]
    assert known.complexity == count(build(SMALL), sixteen.target.lr_size)
    # Nothing is left but the figures.
    assert list(folder.iterdir()) == []


@pytest.mark.numeric
def test_equal_networks_are_equally_good(trained: tuple[TrainedNetwork, Path], sixteen: Setup, tmp_path: Path) -> None:
    known, again = trained[0], train_in_full(WorkerState(sixteen), SMALL, ladder=STEPS, folder=tmp_path)
    assert (again.psnr, again.cheap_psnr) == (known.psnr, known.cheap_psnr)


def test_trained_network_survives_json(trained: tuple[TrainedNetwork, Path]) -> None:
    for known in (trained[0], replace(trained[0], supernet_psnr=21.5, rungs=())):
        assert TrainedNetwork.from_json(json.loads(json.dumps(known.to_json()))) == known


@pytest.mark.numeric
def test_supernet_scores_each_network(trained: tuple[TrainedNetwork, Path], sixteen: Setup) -> None:
    torch.manual_seed(3)
    supernet = Supernet(MSRRESNET_SPACE, 8, 1).eval()
    (known,) = with_supernet_scores([trained[0]], supernet, sixteen)
    assert known.supernet_psnr == psnr_of(supernet.extract(SMALL), sixteen)
    assert replace(known, supernet_psnr=None) == trained[0]


def drawn_networks(number: int) -> list[Architecture]:
    rng = random.Random(1)
    found = {one.key: one for one in (MSRRESNET_SPACE.decode(MSRRESNET_SPACE.sample(rng)) for _ in range(4 * number))}
    return list(found.values())[:number]


def networks_by_hand(early: list[float], *, supernet: bool) -> list[TrainedNetwork]:
    """Return networks whose PSNR in full is their number, with these PSNRs on the first rung and ten more later."""
    return [
        TrainedNetwork(each, count(build(each), (16, 16)), float(number), 4.0,
              (Rung(1, psnr, 1.0), Rung(4, psnr + 10, 1.0)), -float(number) if supernet else None)
        for number, (each, psnr) in enumerate(zip(drawn_networks(len(early)), early, strict=True))
    ]  # fmt: skip


def test_scores_are_ranked_as_by_hand() -> None:
    early = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 6.0]
    found = {each.name: each for each in rank_scores(networks_by_hand(early, supernet=True), Ladder((1, 4, 16)), 0.05)}
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


def test_supernet_that_is_not_there_is_not_ranked() -> None:
    names = [each.name for each in rank_scores(networks_by_hand([1.0] * 8, supernet=False), Ladder((1, 4, 16)), None)]
    assert not [name for name in names if "supernet" in name]
    by_name = {
        each.name: each for each in rank_scores(networks_by_hand([1.0] * 8, supernet=False), Ladder((1, 4, 16)), None)
    }
    assert by_name["rung 0"].tau is None
