"""What describes networks needs no torch, and every kind has its block."""

import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from search_spaces import SPACES
from search_spaces.kinds import BLOCKS

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_TORCH = """
import sys
from search_spaces import SPACES
picks = {name: values[0] for name, values in SPACES["msrresnet"].choices.items()}
print(SPACES["msrresnet"].decode(picks).key, "torch" in sys.modules, "numpy" in sys.modules)
"""


def test_spaces_are_described_without_torch() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    space = SPACES["msrresnet"]
    first = space.decode({name: values[0] for name, values in space.choices.items()})
    assert ended.stdout.split() == [first.key, "False", "False"]


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_kind_makes_a_block(kind: str) -> None:
    made = BLOCKS[kind](8, "none")
    assert isinstance(made, nn.Module)
    assert isinstance(made, nn.Identity) == (kind == "identity")
    assert isinstance(made, nn.Identity) or type(made).__module__ == "search_spaces.blocks"


def test_a_space_of_all_kinds_takes_a_new_one_with_its_line() -> None:
    assert SPACES["msrresnet"].kinds == tuple(BLOCKS)
