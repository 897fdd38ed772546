"""Evaluation over files: the network's and bicubic's own figures, picture by picture."""

import numpy as np
import pytest
from torch import nn

from sr.config import EvaluateConfig
from sr.data.images import Picture, write_picture
from sr.data.sources import load_pairs
from sr.errors import InputError
from sr.exporting import export_onnx
from sr.measure.evaluation import evaluate_file
from sr.measure.quality import Quality, bicubic_quality, evaluate, mean
from sr.progress import Event, Message

pytestmark = pytest.mark.numeric


# Repeats every pixel 4 x 4 times.
ENLARGE = nn.Upsample(scale_factor=4)


@pytest.fixture
def pairs(folder):
    return load_pairs(folder, "val", report=pytest.fail)


def test_a_network_in_a_file_stands_beside_bicubic(folder, pairs, tmp_path):
    path = tmp_path / "enlarge.onnx"
    export_onnx(ENLARGE, path)
    write_picture(folder / "speck.png", Picture(np.zeros((16, 16, 3), np.uint8)))
    events: list[Event] = []
    found = evaluate_file(EvaluateConfig(path, folder, "cpu"), report=events.append)
    ours = evaluate(ENLARGE, pairs)
    assert found.network == Quality(*(pytest.approx(value) for value in (ours.psnr, ours.psnr_y, ours.ssim)), 3)
    assert found.bicubic == bicubic_quality(pairs)
    assert list(found.per_picture) == ["large", "small", "tiny"]
    assert mean(list(found.per_picture.values())) == found.network
    assert (found.engine, found.precision, found.scale) == ("onnxruntime", "float32", 4)
    place, skipped = events
    assert place == Message(f"{path}, x4, in onnxruntime on cpu, float32")
    assert isinstance(skipped, Message)
    assert "speck.png" in skipped.text


def test_what_cannot_be_evaluated_is_an_input_error(folder, tmp_path):
    with pytest.raises(InputError, match="no checkpoint at"):
        evaluate_file(EvaluateConfig(tmp_path / "none.pth", folder, "cpu"))
