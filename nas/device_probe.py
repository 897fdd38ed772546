"""What is measured of a device before the first candidate: the reference network, and where asked for, some seeds."""

import time
from dataclasses import replace

from nas.evaluate import REFERENCE, Setup, measure_candidate, measure_untrained
from nas.known_device import KnownDevice, recall
from nas.predictors.latency import LatencyPredictor, Sample
from search_spaces.architecture import Block
from search_spaces.space import SearchSpace
from sr.measure.calm_speed import CalmSpeed
from sr.measure.latency import Protocol
from sr.progress import Report, no_report

# So many measured networks know the others about as well as any number does.
_ENOUGH = 10
# Times the budget: what is predicted beyond is of no use, and takes long.
_WITHIN = 1.5
# Of the reference network: steps of 4, 8 and 16 channels fill each of them up differently.
_WIDTHS = (12, 20, 24)
# Times its blocks: what a block takes is told apart from what every network takes, such as writing the picture.
_DEEPER = 4
_TOO_SLOW = 10
# All predictions go by these, so that a disturbed measurement is taken again; not for long, since nothing else goes on.
_ATTEMPTS, _LONGEST_SECONDS = 3, 10.0


def probe_device(setup: Setup, protocol: Protocol, report: Report = no_report) -> KnownDevice:
    """Return what earlier searches know of the device, brought by the reference network to its calm speed.

    Verdicts are at that speed, so that predictions are too: what slows the device while it is probed would make a
    search begin with too small networks. Where they know little, it is measured at other widths too, which tell in
    which steps of channels the engine pays, deeper, of depthwise convolutions, and with convolutions at HR size.

    Args:
        setup: Of the search that begins.
        protocol: How they are timed, all in the same rounds.
        report: Is told of what is remembered and cannot be read.
    """
    # What is remembered is of this machine.
    known = KnownDevice() if setup.is_measured_elsewhere else recall(setup.target, report)
    lr_size = setup.target.lr_size
    wanted = {REFERENCE: setup.reference}
    if not known.probes or known.calm_ms(lr_size) is None:
        wanted |= {str(width): replace(setup.reference, num_feat=width) for width in _WIDTHS}
        wanted["deep"] = replace(setup.reference, blocks=_DEEPER * setup.reference.blocks)
        wanted["depthwise"] = replace(setup.reference, blocks=tuple(map(Block, ("inverted_x3", "inverted_x3"))))
        wanted["HR"] = replace(setup.reference, num_feat=8, upsampler="two_step")
    limited = replace(protocol, early_stop_ms=_TOO_SLOW * setup.budget_ms)
    taken, began = [], time.monotonic()
    for _ in range(_ATTEMPTS):
        taken.append(measure_untrained(wanted, setup, limited))
        reliable = all(each.runtime.reliable for each in taken[-1].values())
        if reliable or time.monotonic() - began > _LONGEST_SECONDS:
            break
    # Whatever disturbs a device makes it slower.
    calmest = taken[-1] if reliable else min(taken, key=lambda each: each[REFERENCE].runtime.median_ms)
    known = known.with_calm(lr_size, calmest[REFERENCE].runtime.median_ms)
    calm_ms = known.calm_ms(lr_size)
    assert calm_ms is not None
    probes = known.probes
    if len(wanted) > 1:
        probes = tuple((each, calmest[name].runtime.median_ms) for name, each in wanted.items())
    # The first of them is the reference network.
    speed = calm_ms / probes[0][1]
    return replace(known, probes=tuple((each, speed * ms) for each, ms in probes))


def probe_seeds(known: KnownDevice, space: SearchSpace, setup: Setup, protocol: Protocol) -> LatencyPredictor:
    """Return what predicts runtimes around the budget, by measuring seeds of the space where too little is known.

    Args:
        known: What `probe_device` returned.
        space: Whose seeds are measured, the smallest in any case.
        setup: With the budget.
        protocol: How each is timed.
    """
    latency = known.predictor(setup.target.lr_size)
    calm_ms = known.calm_ms(setup.target.lr_size)
    assert calm_ms is not None
    samples: list[Sample] = []
    for seed in space.seeds:
        enough = known.model.networks + len(known.probes) + len(samples) >= _ENOUGH
        if enough or (samples and latency.predict(seed) > _WITHIN * setup.budget_ms):
            continue
        measured = measure_candidate(seed, setup, protocol)
        samples.append(Sample(seed, CalmSpeed(calm_ms).calm_ms(measured)))
        latency = latency.learned(samples)
    return latency
