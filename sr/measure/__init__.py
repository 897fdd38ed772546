"""The yardstick: `measurement.measure` gives counts and runtime on a `target.Target`, `quality.evaluate` the PSNR."""
