"""What a move drops and loses, worked out by hand on a network of two branches."""

import functools

import numpy as np
import pytest
import torch
from torch import nn

from prune.graph.tracing import Graph, trace
from prune.scoring.sites import gate_sites
from prune.selection.costs import Costs
from prune.selection.moves import Move, after, lost, moves, raised, saving_of
from prune.selection.problem import Problem
from prune.selection.state import state_of


class Branch(nn.Module):
    """A tensor to which two branches are added."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail, self.shuffle = conv(3, 8), conv(8, 48), nn.PixelShuffle(4)
        self.in1, self.out1, self.in2, self.out2 = conv(8, 8), conv(8, 8), conv(8, 8), conv(8, 8)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        x = self.head(lr)
        x = x + self.out1(torch.relu(self.in1(x)))
        x = x + self.out2(torch.relu(self.in2(x)))
        return self.shuffle(self.tail(x))


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


@functools.cache
def graph() -> Graph:
    torch.manual_seed(0)
    return trace(Branch())


def problem() -> Problem:
    """Return a problem in which every group scores ten times as much as the one before."""
    groups, costs = gate_sites(graph()), Costs(graph(), (16, 16))
    scores = [np.arange(1.0, group.units + 1) * 10.0**index for index, group in enumerate(groups)]
    return Problem(costs, groups, scores, "independent", {"params": 0.5 * costs.dense["params"]})


def all_alive() -> list[np.ndarray]:
    return [np.ones(group.units, dtype=bool) for group in problem().groups]


def number_of(name: str, side: str) -> int:
    members = [group.members[0] for group in problem().groups]
    (found,) = (index for index, member in enumerate(members) if (member.conv, member.side) == (name, side))
    return found


def test_a_group_takes_a_step_or_ends_and_a_shared_tensor_takes_a_step() -> None:
    found = list(moves(problem()))
    (tensor,) = problem().shared_tensors
    assert len(found) == len(set(found)) == 2 * len(problem().groups) + 1
    assert Move("tensor", tensor) in found


def test_equal_moves_are_made_ends_first_and_shared_tensors_last() -> None:
    assert sorted([Move("tensor", 0), Move("step", 0), Move("end", 1)]) == [
        Move("end", 1), Move("step", 0), Move("tensor", 0),
    ]  # fmt: skip


def test_a_step_drops_the_lowest_score_and_an_end_everything() -> None:
    number, state = number_of("in1", "outputs"), state_of(problem(), all_alive())
    stepped, ended = (after(problem(), state, Move(kind, number)) for kind in ("step", "end"))
    assert stepped is not None
    assert ended is not None
    assert stepped[number].tolist() == [False] + [True] * 7
    assert not ended[number].any()


def test_a_move_that_does_nothing_is_none() -> None:
    number, alive = number_of("in1", "outputs"), all_alive()
    alive[number][:] = False
    state = state_of(problem(), alive)
    assert after(problem(), state, Move("step", number)) is None
    assert raised(problem(), state, number) is None


def test_what_is_lost_with_a_branch_is_what_the_move_drops() -> None:
    number, state = number_of("in1", "outputs"), state_of(problem(), all_alive())
    alive = after(problem(), state, Move("end", number))
    assert alive is not None
    liveness = problem().liveness(alive)
    assert liveness is not None
    # With what in1 writes go what it reads and what out1 writes, which tell of the same loss.
    loss = lost(problem(), state, Move("end", number), liveness.kept)
    assert loss == pytest.approx(sum(problem().scores[number]))
    spent = problem().spent(liveness)
    found = saving_of(problem(), state, Move("end", number))
    assert found is not None
    assert found.price == pytest.approx(loss / (problem().excess(state.spent) - problem().excess(spent)))
