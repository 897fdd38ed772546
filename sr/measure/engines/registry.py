"""The engines by their names, which of them are installed, and which is fastest here."""

from sr.errors import InputError
from sr.measure.engines.engine import Engine, FileEngine
from sr.measure.engines.onnx_runtime import OnnxRuntime
from sr.measure.engines.open_vino import OpenVino
from sr.measure.engines.tensor_rt import TensorRt
from sr.measure.engines.torch_compiled import TorchCompiled
from sr.measure.engines.torch_eager import TorchEager
from sr.measure.target import Target

# Those with files of their own.
FILE_ENGINES: dict[str, FileEngine] = {engine.name: engine for engine in (OnnxRuntime(), OpenVino(), TensorRt())}
ENGINES: dict[str, Engine] = {**FILE_ENGINES, **{engine.name: engine for engine in (TorchEager(), TorchCompiled())}}


def engine_of(target: Target) -> Engine:
    """Return the target's engine; InputError where it is not installed or does not run the target's dtype."""
    engine = ENGINES[target.engine]
    engine.check(target)
    return engine


def file_engine_of(target: Target) -> FileEngine:
    """Return the target's engine, as `engine_of`; InputError also where it has no files of its own."""
    engine_of(target)
    if target.engine not in FILE_ENGINES:
        raise InputError(f"--engine {target.engine} has no files of its own; one of {', '.join(FILE_ENGINES)} has")
    return FILE_ENGINES[target.engine]


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
