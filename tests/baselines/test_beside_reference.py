"""Networks timed beside the reference network."""

import torch

from baselines import build
from baselines.beside_reference import measure_beside_reference
from sr.measure.latency import Protocol
from sr.measure.target import Target


def test_each_network_knows_what_the_reference_took_in_the_same_rounds() -> None:
    networks = {str(width): build("ecbsr", num_feat=width, num_block=1) for width in (8, 16)}
    protocol = Protocol(seconds=0.0, minimum_runs=3, early_stop_runs=3, idle_seconds=0.0)
    found = measure_beside_reference(networks, Target(torch.device("cpu"), (16, 16)), protocol)
    assert list(found) == ["8", "16"]
    (reference_ms,) = {each.reference_ms for each in found.values()}
    assert reference_ms is not None
    assert reference_ms > 0
