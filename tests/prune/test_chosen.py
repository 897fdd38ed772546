"""What a method chose, in its folder."""

from pathlib import Path

import pytest

from prune.chosen import STATE, Chosen, chosen_before, write_chosen
from prune.graph.plan import Execution, Kept, Plan
from prune.outcomes import Reached
from prune.rewrite.execution import Choice
from sr.errors import InputError

CHOSEN = Chosen(
    Plan({"conv": Kept((0, 2), (1,))}, {"conv": Execution("fold", "slice")}, {"head": (1, 0)}),
    [Choice("conv", "inputs", "fold", {"fold": 1.0, "slice": 2.0}, 2, 3, 3, 16)],
    Reached(0.45, 0.44, 0.44, 0.47, nothing_between=False),
)


@pytest.mark.parametrize("reached", [CHOSEN.reached, None])
def test_what_was_chosen_comes_back_where_its_weights_lie(reached: Reached | None, tmp_path: Path) -> None:
    chosen = Chosen(CHOSEN.plan, CHOSEN.choices, reached)
    write_chosen(tmp_path, chosen)
    assert chosen_before(tmp_path) is None
    (tmp_path / STATE).touch()
    assert chosen_before(tmp_path) == chosen


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"kept": 3}'])
def test_a_broken_plan_is_named(content: str, tmp_path: Path) -> None:
    assert chosen_before(tmp_path) is None
    for name in ("gates.state", "execution.json"):
        (tmp_path / name).write_text("[]")
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(InputError, match="no plan of a pruning; remove"):
        chosen_before(tmp_path)
