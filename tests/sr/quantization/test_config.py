import math
from pathlib import Path

import pytest

from sr.errors import InputError
from sr.quantization.config import QuantizeConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"engine": "torch"}, "--engine must be one of auto, onnxruntime, openvino"),
        ({"fine_tune_steps": -1}, "--fine-tune-steps must be at least 0"),
        ({"fine_tune_steps": 1.5}, "--fine-tune-steps must be a whole number"),
        ({"pictures": 0}, "--pictures must be at least 1"),
        ({"max_loss_db": -0.1}, "--max-loss-db must be at least 0"),
        ({"max_loss_db": math.nan}, "--max-loss-db must be at least 0"),
        ({"learning_rate": 0.0}, "--learning-rate must be over 0"),
        ({"distillation": 1.5}, "--distillation must be from 0 to 1"),
    ],
)
def test_a_value_that_breaks_its_constraint_is_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        QuantizeConfig(Path("network.pth"), **values)


def test_paths_may_be_given_as_text() -> None:
    assert QuantizeConfig("network.pth", out="there").out == Path("there")  # type: ignore[arg-type]
