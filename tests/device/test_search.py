"""What a search puts on a GPU, and what of it lacks memory."""

from typing import Any

import pytest
import torch

from nas.config.search import SearchConfig
from nas.evaluate import Setup, cost_candidate
from nas.evaluation_setup import make_setup
from nas.pipeline import prepare
from nas.time_budget import TimeBudget
from nas.training.executor import _on
from search_spaces.msrresnet import repeated
from sr.data.manifest import Manifest
from sr.data.pairs import Pairs
from sr.data.sources import PictureSet
from sr.measure.latency import Protocol
from sr.progress import no_report

CONFIG = SearchConfig(budget_ms=40.0, device="cuda:1", engine="torch", lr_size=(16, 24), batch=2, patch=8)


def as_set(pairs: Pairs) -> PictureSet:
    """Return pairs that come from no files."""
    return PictureSet(pairs, Manifest((), ()))


@pytest.fixture
def moved(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Pairs, str]]:
    """Return the pictures that are put on a device, by its name; there is none to hold them."""
    assert cuda.current == 0
    found: list[tuple[Pairs, str]] = []

    def to(pairs: Pairs, device: torch.device | str) -> Pairs:
        found.append((pairs, str(device)))
        return pairs

    monkeypatch.setattr(Pairs, "to", to)
    return found


def test_validation_pictures_go_to_the_gpu_as_the_centres_of_a_few_alone(moved: list[tuple[Pairs, str]]) -> None:
    setup, val, _ = prepare(CONFIG, TimeBudget(600.0, None), no_report)
    assert setup.target.device == torch.device("cuda", 1)
    assert {device for _, device in moved} == {"cuda:1"}
    assert not any(pairs.hr.values is val.hr.values for pairs, _ in moved)


def test_training_pictures_that_fill_over_half_of_the_gpu_stay_on_the_cpu(
    cuda: Any, moved: list[tuple[Pairs, str]], pairs: Pairs
) -> None:
    size = pairs.lr.values.nbytes + pairs.hr.values.nbytes
    for free, resident in ((2 * size + 2, True), (2 * size - 2, False)):
        moved.clear()
        cuda.free = [0, free]
        make_setup(CONFIG, 5, as_set(pairs), as_set(pairs))
        assert any(each is pairs for each, _ in moved) is resident


@pytest.mark.usefixtures("moved")
def test_workers_train_on_all_devices_and_measure_on_the_first(pairs: Pairs) -> None:
    both = (torch.device("cuda", 1), torch.device("cuda", 0))
    config = SearchConfig(budget_ms=40.0, devices="cuda:1,cuda:0", engine="torch", lr_size=(16, 24), batch=2, patch=8)
    setup = make_setup(config, 5, as_set(pairs), as_set(pairs))
    assert setup.devices == both
    assert setup.target.device == both[0]
    assert [_on(device, setup).target.device for device in both] == list(both)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")]
)
def test_candidate_that_has_no_room_is_a_failed_one(
    monkeypatch: pytest.MonkeyPatch, moved: list[tuple[Pairs, str]], pairs: Pairs, error: Exception
) -> None:
    setup: Setup = make_setup(CONFIG, 5, as_set(pairs), as_set(pairs))
    assert moved

    def refuse(*_subject: object, **_how: object) -> None:
        raise error

    monkeypatch.setattr("sr.measure.engines.torch_eager.TorchEager.prepare", refuse)
    trial = cost_candidate(0, repeated(8, "residual_leaky", 1), setup, Protocol(seconds=0.0, idle_seconds=0.0))
    assert (trial.state, trial.reason) == ("failed", "the device has too little memory for this network")
