"""The Python of README and docs/: it compiles, names what is there, and what one may add meets its contract."""

import random
import re
from typing import Any

import pytest
import torch

import paretosr
from nas.samplers.protocol import SearchProblem
from search_spaces import SPACES
from search_spaces.network import build
from sr.measure.complexity import count
from tests.docs.conftest import PAGES, ROOT, blocks

PYTHON = [(page.name, number, code) for page in PAGES for number, code in enumerate(blocks(page, "python"))]


@pytest.mark.parametrize(("page", "number", "code"), PYTHON, ids=[f"{page}-{number}" for page, number, _ in PYTHON])
def test_python_of_a_page_compiles_and_names_what_is_there(page: str, number: int, code: str) -> None:
    compile(code, f"{page}, block {number}", "exec")
    for name in re.findall(r"\bparetosr\.(\w+)", code):
        assert name in paretosr.__all__


@pytest.fixture(scope="module")
def added() -> dict[str, Any]:
    """Return what the page on extending defines."""
    names: dict[str, Any] = {}
    for code in blocks(ROOT / "docs" / "extending.md", "python"):
        exec(compile(code, "extending.md", "exec"), names)  # our own page
    return names


def test_block_keeps_the_shape_and_the_input(added: dict[str, Any]) -> None:
    feature = torch.randn(2, 8, 5, 7)
    before = feature.clone()
    for norm in ("none", "batch"):
        assert added["ThinResidual"](8, norm)(feature).shape == feature.shape
    assert torch.equal(feature, before)


def test_baseline_is_four_times_as_large_and_is_counted(added: dict[str, Any]) -> None:
    entry = added["ENTRY"]
    assert entry.network(num_feat=8)(torch.rand(1, 3, 6, 5)).shape == (1, 3, 24, 20)
    assert count(entry.network(num_feat=8)).convs == 3


def test_space_decodes_what_it_draws(added: dict[str, Any]) -> None:
    space = added["PLAIN_SPACE"]
    drawn = space.decode(space.sample(random.Random(0)))
    assert build(drawn)(torch.rand(1, 3, 8, 8)).shape == (1, 3, 32, 32)


def test_sampler_proposes_the_same_from_the_same(added: dict[str, Any]) -> None:
    problem = SearchProblem(SPACES["msrresnet"], seed=0, budget_ms=40.0)
    first, second = (added["HillClimb"](problem).propose(3, []) for _ in range(2))
    assert first == second
    SPACES["msrresnet"].decode(first)
