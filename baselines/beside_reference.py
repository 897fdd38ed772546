"""Networks timed with the reference network in the same rounds, which tells how fast the device is meanwhile."""

from collections.abc import Mapping

from torch import nn

from search_spaces.msrresnet import REFERENCE_NETWORK
from search_spaces.network import build
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement, measure
from sr.measure.target import Target

_REFERENCE = "reference"


def measure_beside_reference(
    networks: Mapping[str, nn.Module], target: Target, protocol: Protocol
) -> dict[str, Measurement]:
    """Return the measurement of each network by its name, with what the reference network took.

    Args:
        networks: As of `sr.measure.measurement.measure`; none is called `reference`.
        target: What they are measured on.
        protocol: How they are timed.

    Raises:
        torch.OutOfMemoryError: As `measure` does.
    """
    found = measure({**networks, _REFERENCE: build(REFERENCE_NETWORK)}, target, protocol, reference=_REFERENCE)
    del found[_REFERENCE]
    return found
