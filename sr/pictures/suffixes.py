"""Which files are pictures, by their suffixes."""

# What people keep pictures in; of several that have one name the first is the one stored with the least loss.
USUAL = (".png", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg")
# Formats of few colours, of lost detail or of other uses: pictures as well, but nobody trains on them but on purpose.
UNUSUAL = (".apng", ".avif", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".tga")
