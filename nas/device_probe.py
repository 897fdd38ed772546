"""What is measured of a device before the first candidate: the reference network, and where asked for, some seeds."""

from dataclasses import replace

from nas.evaluate import Setup, measure_candidate
from nas.known_device import KnownDevice, recall
from nas.predictors.latency import LatencyPredictor, Sample
from search_spaces.fast_work import work
from search_spaces.space import SearchSpace
from sr.measure.latency import Protocol

# So many measured networks know the others about as well as any number does.
_ENOUGH = 10
# Times the budget: what is predicted beyond is of no use, and takes long.
_WITHIN = 1.5


def probe_reference(setup: Setup, protocol: Protocol) -> KnownDevice:
    """Return what earlier searches know of the device, brought to its present speed by the reference network.

    Args:
        setup: Of the search that begins.
        protocol: How the reference is timed.
    """
    known, lr_size = recall(setup.target), setup.target.lr_size
    measured = measure_candidate(setup.reference, setup, protocol)
    runtime_ms = measured.runtime.median_ms
    model = known.model.fitted([work(setup.reference, lr_size)], [runtime_ms])
    # Of one network: what is known of the others stays.
    model = replace(model, networks=max(known.model.networks, model.networks))
    return replace(known, model=model).with_calm(lr_size, measured.reference_ms or runtime_ms)


def probe_seeds(known: KnownDevice, space: SearchSpace, setup: Setup, protocol: Protocol) -> LatencyPredictor:
    """Return what predicts runtimes around the budget, by measuring seeds of the space where too little is known.

    Args:
        known: What `probe_reference` returned.
        space: Whose seeds are measured, the smallest in any case.
        setup: With the budget.
        protocol: How each is timed.
    """
    latency = LatencyPredictor(setup.target.lr_size, known.model, known.model)
    samples: list[Sample] = []
    for seed in space.seeds:
        enough = known.model.networks + len(samples) >= _ENOUGH
        if enough or (samples and latency.predict(seed) > _WITHIN * setup.budget_ms):
            continue
        measured = measure_candidate(seed, setup, protocol)
        samples.append(Sample(seed, measured.runtime.median_ms, measured.reference_ms))
        latency = latency.learned(samples)
    return latency
