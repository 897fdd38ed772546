"""How fast a device is when nothing disturbs it, and what a measurement stands for at that speed.

Other processes slow a network and the reference network, timed in the same rounds, by the same factor.
"""

from dataclasses import dataclass

from sr.measure.measurement import Measurement

# A reference that took more than this times its calm runtime was measured under load.
UNDER_LOAD = 1.1


@dataclass(frozen=True)
class CalmSpeed:
    """How fast the device is when nothing disturbs it.

    Attributes:
        reference_ms: What the reference network takes then.
        p90_factor: How far the 90th percentile of a runtime lies above its median then.
    """

    reference_ms: float
    p90_factor: float = 1.0

    def slowdown(self, measurement: Measurement) -> float:
        """Return by what factor the device was slower than that in a measurement, at least 1."""
        taken = measurement.reference_ms
        return 1.0 if taken is None else max(1.0, taken / self.reference_ms)

    def calm_ms(self, measurement: Measurement) -> float:
        """Return the median that a measurement stands for at calm speed."""
        return measurement.runtime.median_ms / self.slowdown(measurement)

    def calm_p90_ms(self, measurement: Measurement) -> float:
        """Return what nine runs of ten keep to at calm speed, by its own runs or by how far those of others spread.

        The slowest runs are the first that another process disturbs, so that the lower of both stands.
        """
        own = measurement.runtime.p90_ms / self.slowdown(measurement)
        return min(own, self.p90_factor * self.calm_ms(measurement))

    def was_calm(self, measurement: Measurement) -> bool:
        """Return whether a measurement was taken at calm speed, so that it is a verdict."""
        return measurement.runtime.reliable and self.slowdown(measurement) <= UNDER_LOAD
