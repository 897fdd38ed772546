"""The task and the yardstick: pictures, training, measuring, export. Knows no particular network.

checkpoint: networks on disk (`load_network`, `save`). deployment: the form that runs (`deploy`). export: ONNX.
upscaling: pictures through a network. data: where pairs come from. training: `fit`. measure: `measure`, `evaluate`,
`Target`. report: pages and figures. Nothing is imported here, so that a command answers --help at once.
"""

import os

# Libraries tell their makers unasked what they do, onnxruntime since 1.29 names and hashes of what it runs: unless the
# user has said otherwise they send nothing. They read this when they are loaded, which is after this package.
for _switch, _off in (("ORT_DISABLE_TELEMETRY", "1"), ("RAY_USAGE_STATS_ENABLED", "0")):
    os.environ.setdefault(_switch, _off)
