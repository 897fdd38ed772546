"""The engines by their names, which of them are installed, and which is fastest here."""

from sr.errors import InputError
from sr.measure.engines.engine import Engine
from sr.measure.engines.onnx_runtime import OnnxRuntime
from sr.measure.engines.open_vino import OpenVino
from sr.measure.engines.tensor_rt import TensorRt
from sr.measure.engines.torch_compiled import TorchCompiled
from sr.measure.engines.torch_eager import TorchEager
from sr.measure.target import Target

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (OnnxRuntime(), OpenVino(), TensorRt(), TorchEager(), TorchCompiled())
}


def engine_of(target: Target) -> Engine:
    """Return the target's engine; InputError where it is not installed or does not run the target's dtype."""
    engine = ENGINES[target.engine]
    engine.check(target)
    return engine


def usable(target: Target, names: tuple[str, ...] = tuple(ENGINES)) -> list[Target]:
    """Return the target in each of these engines that is installed and runs its dtype on its device."""
    found = []
    for name in names:
        try:
            engine_of(target.in_engine(name))
        except InputError:
            continue
        found.append(target.in_engine(name))
    return found
