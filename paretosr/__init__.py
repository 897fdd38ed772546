"""ParetoSR: find, prune and ship a super-resolution network that meets a runtime budget on your own device.

Search for a network within 40 ms, then upscale with it:

    import paretosr

    result = paretosr.search(paretosr.SearchConfig(budget_ms=40, out="runs/forty"), report=paretosr.Terminal())
    print(result.front[["psnr", "runtime_ms", "summary"]])
    network = result.network  # a torch.nn.Module: (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w)

Prune a network that you have down to a share of its runtime:

    pruned = paretosr.prune("hcsrn.pth", paretosr.PruneConfig(ratio=0.45, out="runs/pruned"))
    for line in pruned.verdict:
        print(line)

Measure any network on this device, such as a hand-designed one:

    >>> import paretosr
    >>> network = paretosr.build("ecbsr", num_feat=8)
    >>> measurement = paretosr.measure(network, paretosr.Target.of("cpu", lr_size=(32, 48)))
    >>> measurement.complexity.multi_adds
    9179136
    >>> measurement.runtime.median_ms > 0
    True

in the engine that will run it; without a target in the fastest that is installed, which `conditions` names:

    >>> small = paretosr.Target.of("cpu", lr_size=(32, 48))
    >>> paretosr.measure(network, small, engine="onnxruntime").conditions.engine
    'onnxruntime'

Nothing is printed, but by `report`, which is any function of `Message`s and `Step`s; `Terminal` shows them as the
commands do. What a user can mend raises `InputError`.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from baselines import BASELINES, build
    from nas.config.measurement_plan import MeasurementPlan
    from nas.config.search import SearchConfig
    from nas.pipeline import search
    from nas.result import SearchResult
    from paretosr.measuring import measure
    from prune.config import PruneConfig
    from prune.pipeline import PruneResult, prune
    from sr.checkpoint import load_network
    from sr.errors import InputError
    from sr.measure.latency import Protocol
    from sr.measure.measurement import Measurement
    from sr.measure.target import Target
    from sr.progress import Message, Step
    from sr.terminal import Terminal

__all__ = [
    "BASELINES",
    "InputError",
    "Measurement",
    "MeasurementPlan",
    "Message",
    "Protocol",
    "PruneConfig",
    "PruneResult",
    "SearchConfig",
    "SearchResult",
    "Step",
    "Target",
    "Terminal",
    "build",
    "load_network",
    "measure",
    "prune",
    "search",
]

# Where each name is defined: imported when it is first asked for, since torch takes a second.
_HOMES = {
    "BASELINES": "baselines",
    "InputError": "sr.errors",
    "Measurement": "sr.measure.measurement",
    "MeasurementPlan": "nas.config.measurement_plan",
    "Message": "sr.progress",
    "Protocol": "sr.measure.latency",
    "PruneConfig": "prune.config",
    "PruneResult": "prune.pipeline",
    "SearchConfig": "nas.config.search",
    "SearchResult": "nas.result",
    "Step": "sr.progress",
    "Target": "sr.measure.target",
    "Terminal": "sr.terminal",
    "build": "baselines",
    "load_network": "sr.checkpoint",
    "measure": "paretosr.measuring",
    "prune": "prune.pipeline",
    "search": "nas.pipeline",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'paretosr' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
