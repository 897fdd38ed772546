"""The x4 super-resolution task and the yardstick: pictures, training, measuring, export. Knows no particular network."""
