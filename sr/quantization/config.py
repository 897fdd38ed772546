"""What quantising is asked for, as a frozen value; free of torch."""

import math
from dataclasses import dataclass
from pathlib import Path

from sr.constraints import AUTO, as_paths, at_least, of_declared_types, one_of
from sr.errors import InputError
from sr.lr_size import LrSize

# What stays in float, by name: keys of `sr.quantization.parts.KEEPS`.
KEEP_NAMES = ("nothing", "skip", "ends")
# Where nothing is measured: the sum of skip and trunk is the picture itself, which 8 bits of a wider range coarsen.
DEFAULT_KEEP = "skip"
# The engines that have a quantiser.
QUANTIZED_ENGINES = ("onnxruntime", "openvino")
# Pictures that ranges are read off: more of them change little.
CALIBRATED_ON = 8


@dataclass(frozen=True)
class QuantizeConfig:
    """Which network to quantise, on what, for which engine.

    Attributes:
        network: A checkpoint of ours.
        data: HR pictures that the ranges are read off and fine-tuning learns from, as `sr.data.sources.load_pairs`
            takes them; None for the photographs inside scikit-image.
        val: What the loss is judged on; None as there.
        engine: One of QUANTIZED_ENGINES, or auto.
        lr_size: Height and width of the LR picture that runtimes are for.
        fine_tune_steps: Of quantisation-aware fine-tuning; 0 for none.
        distillation: How much of its loss, 0 to 1, is the distance to the float network's SR.
        learning_rate: The highest of fine-tuning.
        pictures: How many pictures the ranges are read off.
        max_loss_db: How many dB of PSNR the 8-bit network may lose.
        seed: Of fine-tuning.
        out: The folder for the files.

    Raises:
        InputError: Where a value breaks its constraint.
    """

    network: Path
    data: Path | None = None
    val: Path | None = None
    engine: str = AUTO
    lr_size: LrSize = (256, 256)
    fine_tune_steps: int = 0
    distillation: float = 0.0
    learning_rate: float = 2e-4
    pictures: int = CALIBRATED_ON
    max_loss_db: float = 0.1
    seed: int = 0
    out: Path = Path("quantized")

    def __post_init__(self) -> None:
        as_paths(self, "network", "data", "val", "out")
        of_declared_types(self)
        one_of(self, "engine", (AUTO, *QUANTIZED_ENGINES))
        at_least(0, self, "fine_tune_steps")
        at_least(1, self, "pictures")
        if not 0 <= self.max_loss_db < math.inf:
            raise InputError(f"--max-loss-db must be at least 0 and finite, got {self.max_loss_db}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"--learning-rate must be over 0 and finite, got {self.learning_rate}")
        if not 0 <= self.distillation <= 1:
            raise InputError(f"--distillation must be from 0 to 1, got {self.distillation}")
