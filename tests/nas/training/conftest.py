"""What trainings in this process and in others share."""

import pytest
import torch

from nas.evaluate import Setup
from search_spaces.msrresnet import REFERENCE_NETWORK
from sr.data.sources import load_pairs
from sr.measure.target import Target
from sr.training.recipe import Recipe


@pytest.fixture(scope="session")
def tiny() -> Setup:
    """Return a setup whose trainings take a moment, in one precision, so that equal ones train alike."""
    return Setup(
        budget_ms=60_000.0,
        target=Target(torch.device("cpu"), (16, 24)),
        recipe=Recipe(steps=4, batch=2, patch=6, precision="float32", memory_format="contiguous"),
        train=load_pairs(None, "train").centre_crops(16, 3),
        val=load_pairs(None, "val").centre_crops(16, 2),
        reference=REFERENCE_NETWORK,
    )
