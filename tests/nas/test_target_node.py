"""A node that is another kind of machine than the study's is refused as its target, by name."""

import json
import socket
from dataclasses import asdict, replace

import pytest
import torch

from nas.evaluate import Setup, on_target
from nas.target_node import TargetChangedError, TargetNode
from sr.executors.in_process import InThisProcess
from sr.measure.target import Target

TARGET = Target(torch.device("cpu"), (16, 24))


def other(node: TargetNode) -> TargetNode:
    return replace(node, name="old", conditions=replace(node.conditions, device="another processor"))


def test_the_same_node_measures_on() -> None:
    node = TargetNode.here(TARGET)
    node.check(TARGET)
    node.check_was(json.loads(json.dumps(asdict(node.conditions))))


def test_a_node_that_took_the_place_of_another_is_refused_by_name_with_what_differs() -> None:
    here = TargetNode.here(TARGET)
    with pytest.raises(TargetChangedError) as raised:
        other(here).check(TARGET)
    assert str(raised.value).startswith(f"node {socket.gethostname()} is no target of this study")
    assert f"device {here.conditions.device}, not another processor;" in str(raised.value)
    assert str(raised.value).endswith("start Ray there without the resource paretosr_target")


def test_a_study_of_other_conditions_refuses_the_node_by_name() -> None:
    node = TargetNode.here(TARGET)
    with pytest.raises(TargetChangedError, match=r"^node old is no target .*device another processor, not "):
        other(node).check_was(asdict(node.conditions))


def test_work_on_the_target_is_done_there_and_by_no_node_that_changed(setup: Setup) -> None:
    assert on_target(setup, budget_of) == setup.budget_ms
    node = TargetNode.here(setup.target)
    elsewhere = replace(setup, measurer=InThisProcess(replace(setup, budget_ms=7.0)), node=node)
    assert on_target(elsewhere, budget_of) == 7.0
    assert not elsewhere.is_measured_elsewhere
    with pytest.raises(TargetChangedError):
        on_target(replace(elsewhere, node=other(node)), budget_of)
    assert replace(elsewhere, node=other(node)).is_measured_elsewhere


def budget_of(setup: Setup) -> float:
    return setup.budget_ms
