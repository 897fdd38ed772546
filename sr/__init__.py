"""The x4 task and the yardstick: pictures, training, measuring, export. Knows no particular network.

checkpoint: networks on disk (`load_network`, `save`). deployment: the form that runs (`deploy`). export: ONNX.
upscaling: pictures through a network. data: where pairs come from. training: `fit`. measure: `measure`, `evaluate`,
`Target`. report: pages and figures. Nothing is imported here, so that a command answers --help at once.
"""
