"""Which weights of a file are taken."""

import itertools

import pytest
import torch

from baselines.weights.choice import choose
from baselines.weights.files import NamedTensors

TENSORS = {"head.weight": torch.ones(1), "model.weight": torch.ones(1)}


def known(tensors):
    return len(tensors.keys() & TENSORS.keys())


def prefixed(prefix, tensors=TENSORS):
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


PREFIXES = ["", "module.", "model.", "generator.", "generator_ema.", "net_g.", "_orig_mod.", "anything."]


@pytest.mark.parametrize(("outer", "inner"), list(itertools.product(PREFIXES, PREFIXES)))
def test_prefixes_are_seen_through_and_names_of_the_network_are_none(outer, inner):
    choice = choose([NamedTensors("params", prefixed(outer + inner))], known)
    assert choice.tensors.keys() == TENSORS.keys()
    assert choice.place == ".".join(["params", *(outer + inner).rstrip(".").split(".")]).rstrip(".")
    assert choice.others == choice.aside == ()


def test_averages_go_first_and_what_was_left_is_named():
    sets = [NamedTensors(place, TENSORS) for place in ("params", "params_ema", "old.state_dict")]
    choice = choose(sets, known)
    assert choice.place == "params_ema"
    assert choice.others == ("params", "old.state_dict")


def test_of_equals_the_first_is_taken():
    choice = choose([NamedTensors("net_g", TENSORS), NamedTensors("schema", TENSORS)], known)
    assert (choice.place, choice.others) == ("net_g", ("schema",))


def test_an_average_beside_the_network_under_prefixes_is_taken():
    both = prefixed("generator.") | prefixed("generator_ema.") | prefixed("discriminator.", {"x": torch.ones(1)})
    choice = choose([NamedTensors("state_dict", both)], known)
    assert choice.place == "state_dict.generator_ema"
    assert choice.others == ("state_dict.generator",)
    assert choice.tensors.keys() == TENSORS.keys()


def test_tensors_of_something_else_are_put_aside():
    choice = choose([NamedTensors("", prefixed("module.") | {"n_averaged": torch.tensor(3)})], known)
    assert choice.tensors.keys() == TENSORS.keys()
    assert choice.aside == ("n_averaged",)


def test_a_more_complete_set_goes_before_an_average():
    half = {"head.weight": torch.ones(1)}
    assert choose([NamedTensors("params_ema", half), NamedTensors("params", TENSORS)], known).place == "params"


def test_without_a_known_name_the_largest_set_is_taken():
    sets = [
        NamedTensors("small", {"a": torch.ones(1)}),
        NamedTensors("large", {"a": torch.ones(1), "b": torch.ones(1)}),
    ]
    assert choose(sets, lambda _: 0).place == "large"
