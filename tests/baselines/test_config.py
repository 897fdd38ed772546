"""What the commands are asked for."""

from pathlib import Path

import pytest

from baselines.config import ConvertConfig, TableConfig, TrainConfig
from sr.errors import InputError


def test_a_page_needs_runtimes() -> None:
    with pytest.raises(InputError, match="leave one of them out"):
        TableConfig(counts_only=True, html=Path("page.html"))


def test_what_is_no_dtype_is_refused() -> None:
    with pytest.raises(InputError, match=r"--dtype must be one of .*, got 'int3'"):
        TableConfig(dtype="int3")


def test_paths_may_be_text() -> None:
    assert TableConfig(out="there").record("torch") == Path("there/rows-torch.json")  # type: ignore[arg-type]
    assert TrainConfig("rfdn", "rfdn.pth").out == Path("rfdn.pth")  # type: ignore[arg-type]
    assert ConvertConfig("rfdn", "a.pth", "b.pth").weights == Path("a.pth")  # type: ignore[arg-type]


def test_the_record_lies_in_the_folder_of_results() -> None:
    assert TableConfig(out=Path("there")).record("openvino") == Path("there/rows-openvino.json")


@pytest.mark.parametrize("engine", [(), ("",), ("ncnn",), ("auto", "torch"), ("torch", "all"), ("torch", "torch")])
def test_engines_are_known_and_each_named_once(engine):
    with pytest.raises(InputError, match="--engine must be auto, all, or of onnxruntime, openvino"):
        TableConfig(engine=engine)
    assert TableConfig(engine=("torch", "openvino")).engine == ("torch", "openvino")


@pytest.mark.parametrize("name", ["steps", "batch", "patch", "learning_rate"])
def test_a_training_takes_numbers_over_zero(name: str) -> None:
    flag = "--" + name.replace("_", "-")
    with pytest.raises(InputError, match=f"{flag} must be over 0, got 0"):
        TrainConfig("rfdn", Path("rfdn.pth"), **{name: 0})  # type: ignore[arg-type]


def test_only_what_is_given_and_the_seed_override_a_recipe() -> None:
    config = TrainConfig("rfdn", Path("rfdn.pth"), patch=16, seed=3)
    assert config.overrides == {"patch": 16, "seed": 3}


def test_the_scale_is_part_of_the_networks_config_and_said_once() -> None:
    out = Path("rfdn.pth")
    assert TrainConfig("rfdn", out, {"num_feat": 8}).network == {"num_feat": 8}
    assert TrainConfig("rfdn", out, {"num_feat": 8}, scale=2).network == {"num_feat": 8, "scale": 2}
    with pytest.raises(InputError, match="--scale is one of 2, 3, 4, got 5"):
        TrainConfig("rfdn", out, scale=5)
    with pytest.raises(InputError, match="--scale is one of 2, 3, 4, got 8"):
        ConvertConfig("rfdn", Path("a.pth"), out, scale=8)
    with pytest.raises(InputError, match="--scale says how many times a network enlarges, not --config scale=2"):
        TrainConfig("rfdn", out, {"scale": 2})
