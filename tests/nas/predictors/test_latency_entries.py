"""Entries of the latency table: each network is made of them, and what is timed is what runs in the network."""

import random

import pytest
import torch

from nas.predictors.latency_entries import Entry, entries_of, prepare, work_of
from search_spaces import SPACES
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.measure.complexity import count
from sr.measure.target import Target
from sr.memory_format import MEMORY_FORMATS

SIZE = (16, 16)
TARGET = Target(torch.device("cpu"), SIZE)
# So many blocks in a row are timed.
CHAIN = 3


def drawn(seed: int) -> Architecture:
    space = SPACES["msrresnet"]
    return space.decode(space.sample(random.Random(seed)))


@pytest.mark.parametrize("seed", range(12))
def test_multi_adds_of_the_entries_are_those_of_the_network(seed: int) -> None:
    architecture = drawn(seed)
    # What has none is counted by its channels.
    work = {entry: work_of(entry) for entry in entries_of(architecture) if "long_skip" not in entry.name}
    total = sum(share * work[entry] for entry, share in entries_of(architecture).items() if entry in work)
    assert total == pytest.approx(count(build(architecture), SIZE).multi_adds)


def test_network_is_a_head_chains_of_blocks_and_an_upsampler() -> None:
    mixed = Architecture(12, (Block("idle"), Block("identity"), Block("branched_conv"), Block("idle")))
    found = {entry.name: share for entry, share in entries_of(mixed).items()}
    assert found == {
        "head": 1.0,
        "one_step with nearest skip": 1.0,
        f"{CHAIN} idle": 2 / CHAIN,
        f"{CHAIN} branched_conv": 1 / CHAIN,
    }
    assert {entry.num_feat for entry in entries_of(mixed)} == {12}
    assert {entry.name for entry in entries_of(repeated(8, "identity", 1))} == {"head", "one_step with nearest skip"}


def test_blocks_with_batch_norm_have_chains_of_their_own() -> None:
    named = [entry.name for entry in entries_of(repeated(8, "residual_relu", 2, norm="batch"))]
    assert f"{CHAIN} residual_relu batch norm" in named


def test_concat_costs_by_the_number_of_blocks() -> None:
    def shares(blocks: int) -> dict[str, float]:
        entries = entries_of(repeated(8, "idle", blocks, aggregation="concat")).items()
        return {entry.name: share for entry, share in entries if entry.part == "aggregation"}

    assert shares(2) == {"concat of 2": 1.0}
    assert shares(10) == {"concat of 10": 1.0}
    assert shares(6) == {"concat of 2": 0.5, "concat of 10": 0.5}
    assert sum(shares(16).values()) == pytest.approx(1.0)


@pytest.mark.numeric
@pytest.mark.parametrize("memory_format", list(MEMORY_FORMATS))
@pytest.mark.parametrize("aggregation", ["long_skip", "concat"])
def test_timed_run_is_what_runs_in_the_network(memory_format: str, aggregation: str) -> None:
    architecture = repeated(8, "mobilenetv3", 2, upsampler="two_step", image_skip="bilinear", aggregation=aggregation)
    with torch.inference_mode():
        for entry in entries_of(architecture):
            run = prepare(entry, TARGET, memory_format)
            result = run()
            shape = (1, 3, 64, 64) if entry.part == "upsampler" else (1, 8, *SIZE)
            assert result.shape == shape
            assert torch.equal(run(), result), "a run changes what the next one is given"


@pytest.mark.parametrize("aggregation", ["long_skip", "concat"])
def test_entries_run_in_another_engine(aggregation: str) -> None:
    target = TARGET.in_engine("onnxruntime")
    for entry in entries_of(repeated(8, "mobilenetv3", 2, image_skip="bilinear", aggregation=aggregation)):
        assert prepare(entry, target, "contiguous")() is not None


def test_branches_are_timed_folded() -> None:
    (chain,) = (entry for entry in entries_of(repeated(8, "branched_conv", 1)) if entry.part == "blocks")
    assert work_of(chain) == CHAIN * 16 * 16 * 9 * 8 * 8


def test_entry_keeps_its_name_at_another_width() -> None:
    entry = Entry("head", repeated(8, "identity", 1))
    assert entry.at(16).num_feat == 16
    assert entry.at(16).name == entry.name
    assert work_of(entry.at(16)) == 2 * work_of(entry)
