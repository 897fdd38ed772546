"""Pieces: each network is made of them, and what is timed is what runs in the network."""

import random

import pytest
import torch

from nas.pieces import CHAIN, Piece, parts, prepare, work_of
from search_spaces import SPACES
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.complexity import count
from sr.latency import MEMORY_FORMATS

CPU = torch.device("cpu")
SIZE = (16, 16)


def drawn(seed: int) -> Architecture:
    space = SPACES["msrresnet"]
    return space.decode(space.sample(random.Random(seed)))


@pytest.mark.parametrize("seed", range(12))
def test_the_multi_adds_of_the_pieces_are_those_of_the_network(seed: int) -> None:
    architecture = drawn(seed)
    # What has none is counted by its channels.
    work = {piece: work_of(piece) for piece in parts(architecture) if "long_skip" not in piece.name}
    total = sum(share * work[piece] for piece, share in parts(architecture).items() if piece in work)
    assert total == pytest.approx(count(build(architecture), SIZE).multi_adds)


def test_a_network_is_a_head_chains_of_blocks_and_an_upsampler() -> None:
    mixed = Architecture(12, (Block("idle"), Block("identity"), Block("branched_conv"), Block("idle")))
    found = {piece.name: share for piece, share in parts(mixed).items()}
    assert found == {
        "head": 1.0,
        "one_step with nearest skip": 1.0,
        f"{CHAIN} idle": 2 / CHAIN,
        f"{CHAIN} branched_conv": 1 / CHAIN,
    }
    assert {piece.num_feat for piece in parts(mixed)} == {12}
    assert {piece.name for piece in parts(repeated(8, "identity", 1))} == {"head", "one_step with nearest skip"}


def test_batch_norm_has_chains_of_its_own() -> None:
    named = [piece.name for piece in parts(repeated(8, "residual_relu", 2, norm="batch"))]
    assert f"{CHAIN} residual_relu batch norm" in named


def test_joined_outputs_cost_by_the_block() -> None:
    def shares(blocks: int) -> dict[str, float]:
        pieces = parts(repeated(8, "idle", blocks, aggregation="concat")).items()
        return {piece.name: share for piece, share in pieces if piece.part == "aggregation"}

    assert shares(2) == {"concat of 2": 1.0}
    assert shares(10) == {"concat of 10": 1.0}
    assert shares(6) == {"concat of 2": 0.5, "concat of 10": 0.5}
    assert sum(shares(16).values()) == pytest.approx(1.0)


@pytest.mark.parametrize("memory_format", list(MEMORY_FORMATS))
@pytest.mark.parametrize("aggregation", ["long_skip", "concat"])
def test_what_is_timed_is_what_runs_in_the_network(memory_format: str, aggregation: str) -> None:
    architecture = repeated(8, "mobilenetv3", 2, upsampler="two_step", image_skip="bilinear", aggregation=aggregation)
    with torch.inference_mode():
        for piece in parts(architecture):
            run = prepare(piece, CPU, "float32", memory_format, SIZE)
            result = run()
            shape = (1, 3, 64, 64) if piece.part == "upsampler" else (1, 8, *SIZE)
            assert result.shape == shape
            assert torch.equal(run(), result), "a run changes what the next one is given"


def test_branches_are_timed_folded() -> None:
    (chain,) = (piece for piece in parts(repeated(8, "branched_conv", 1)) if piece.part == "blocks")
    assert work_of(chain) == CHAIN * 16 * 16 * 9 * 8 * 8


def test_a_piece_keeps_its_name_at_another_width() -> None:
    piece = Piece("head", repeated(8, "identity", 1))
    assert piece.at(16).num_feat == 16
    assert piece.at(16).name == piece.name
    assert work_of(piece.at(16)) == 2 * work_of(piece)
