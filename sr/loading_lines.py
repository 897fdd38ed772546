"""The lines that load and run an exported network in programs of other people, for its model card."""

import json
from urllib.parse import quote

from sr.lr_size import LrSize, size_text

# By the ending of a file; FILE is its name, STEM that without the ending.
LOADING = {
    ".onnx": '`onnxruntime.InferenceSession("FILE")`: input `lr`, output `sr`',
    ".xml": '`openvino.Core().compile_model("FILE", "CPU")`, with `STEM.bin` beside it',
    ".plan": "TensorRT's runtime, of the version and on the kind of GPU that it was built with",
    ".pt2": '`torch.export.load("FILE").module()`',
    ".torchscript": '`torch.jit.load("FILE")`, in C++ `torch::jit::load`',
    ".py": "`load()` of this module, with `STEM.weights.pt` beside it",
    ".safetensors": '`safetensors.torch.load_file("FILE")`: the tensors alone',
}
_ANY: LrSize = (256, 256)


def in_python(name: str, lr_size: LrSize | None) -> str:
    """Return the lines for an ONNX file in Python; lr_size: the one that it takes, None for any."""
    crop = ""
    if lr_size is not None:
        height, width = lr_size
        crop = f".crop((0, 0, {width}, {height}))  # it takes {size_text(lr_size)} alone"
    return f"""import numpy, onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession({json.dumps(name)}, providers=["CPUExecutionProvider"])
picture = Image.open("photo.png").convert("RGB"){crop}
lr = numpy.asarray(picture, dtype="float32").transpose(2, 0, 1)[None] / 255
(sr,) = session.run(["sr"], {{"lr": lr}})
pixels = (sr[0].clip(0, 1) * 255).round().astype("uint8").transpose(1, 2, 0)
Image.fromarray(pixels).save("upscaled.png")
"""


def in_cpp(name: str, lr_size: LrSize | None) -> str:
    """Return the lines for an ONNX file in C++; otherwise as `in_python`."""
    height, width = lr_size or _ANY
    return f"""#include <onnxruntime_cxx_api.h>
#include <vector>
int main() {{
  Ort::Env env;
  Ort::Session session(env, ORT_TSTR({json.dumps(name)}), Ort::SessionOptions());
  std::vector<int64_t> shape = {{1, 3, {height}, {width}}};
  std::vector<float> lr(3 * {height} * {width}, 0.5f);  // three planes, red, green, blue, in [0, 1]
  auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  auto input = Ort::Value::CreateTensor<float>(memory, lr.data(), lr.size(), shape.data(), shape.size());
  const char *from[] = {{"lr"}}, *to[] = {{"sr"}};
  auto sr = session.Run(Ort::RunOptions(), from, &input, 1, to, 1);
  const float *pixels = sr[0].GetTensorData<float>();  // the same planes, larger
  return pixels ? 0 : 1;
}}
"""


def in_a_browser(name: str, lr_size: LrSize | None) -> str:
    """Return the lines for an ONNX file in a page; otherwise as `in_python`."""
    size = "" if lr_size is None else f"  // {size_text(lr_size)} alone"
    return f"""<script src="ort/ort.wasm.min.js"></script>
<script>
async function upscaled(canvas) {{{size}
  ort.env.wasm.wasmPaths = new URL("ort/", location.href).href;
  const session = await ort.InferenceSession.create({json.dumps(quote(name))});
  const {{width, height}} = canvas, area = width * height, lr = new Float32Array(3 * area);
  const rgba = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  for (let i = 0; i < area; i++) for (let c = 0; c < 3; c++) lr[c * area + i] = rgba[4 * i + c] / 255;
  const {{sr}} = await session.run({{lr: new ort.Tensor("float32", lr, [1, 3, height, width])}});
  return sr;  // sr.dims is [1, 3, h, w], sr.data the three planes
}}
</script>
"""
