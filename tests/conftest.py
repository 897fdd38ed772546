"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of facts, pictures and reference networks, or skip where it is not there."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("PARETOSR_SHARED", beside))
    if not (folder / "reference").is_dir():
        pytest.skip(f"the reference data is not at {folder} (name its folder in PARETOSR_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)
