"""The exporter's operators are worked out once, and an export is the same."""

import torch

from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.deployment import deploy
from sr.onnx_graph import onnx_graph
from sr.onnx_operators import _kept, operators_worked_out_once


def test_this_torch_names_what_is_kept() -> None:
    assert [name for _, name, _ in _kept()] == [
        "_materialize_cpp_cia_ops", "create_onnx_friendly_decomposition_table", "from_torchlib",
    ]  # fmt: skip


def test_nothing_is_left_in_torch_and_the_block_may_be_nested() -> None:
    before = [vars(owner)[name] for owner, name, _ in _kept()]
    with operators_worked_out_once(), operators_worked_out_once():
        assert [vars(owner)[name] for owner, name, _ in _kept()] == [instead for _, _, instead in _kept()]
    assert [vars(owner)[name] for owner, name, _ in _kept()] == before


def test_second_export_is_the_first_one() -> None:
    torch.manual_seed(0)
    network = deploy(build(repeated(8, "inverted_x3", 1)))
    assert onnx_graph(network, (12, 16)) == onnx_graph(network, (12, 16))
