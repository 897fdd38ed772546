"""torch.compile as an engine; what it generates is of this processor, whatever other kernels are told."""

import pytest
import torch
from torch import nn

from sr.errors import InputError
from sr.measure.engines.registry import engine_of
from sr.measure.target import Target


def test_compiled_network_computes_what_torch_computes() -> None:
    target = Target(torch.device("cpu"), (16, 24), engine="torch-compile")
    try:
        engine = engine_of(target)
    except InputError as error:
        pytest.skip(str(error))
    network = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.LeakyReLU(0.1), nn.PixelShuffle(4)).eval()
    lr = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(lr)
    from torch._inductor import config

    # One plain compilation: no trials of what vectorises best, no headers and processes that later ones would gain by.
    with config.patch({"cpp.vec_isa_ok": False, "cpp_cache_precompile_headers": False, "compile_threads": 1}):
        runner = engine.prepare(network, target)
    torch.testing.assert_close(runner.run(lr), expected, rtol=0, atol=1e-4)
