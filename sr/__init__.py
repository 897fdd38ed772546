"""The x4 task and the yardstick: pictures, training, measuring, export. Knows no particular network."""
