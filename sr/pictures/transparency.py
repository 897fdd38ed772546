"""Colours under full transparency: none shows, but a network would mix them into what is seen beside them."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from sr.pictures.picture import Pixels

# So far around what is seen they take its colours: as far as alpha widens when it is enlarged, and as networks mix.
REACH = 8


def bled(pixels: Pixels) -> Pixels:
    """Give pixels that are fully transparent the colour of the nearest that is not, up to `REACH` away.

    Those farther away keep theirs.

    Args:
        pixels: (h, w, 2 or 4), the last channel alpha.

    Returns:
        The same, or a copy where anything changes.
    """
    hidden = pixels[..., -1] == 0
    if not hidden.any() or hidden.all():
        return pixels
    distances, nearest = distance_transform_edt(hidden, return_indices=True)
    rows, columns = np.nonzero(hidden & (distances <= REACH))
    changed = pixels.copy()
    changed[rows, columns, :-1] = pixels[nearest[0][rows, columns], nearest[1][rows, columns], :-1]
    return changed
