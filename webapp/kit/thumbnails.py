"""Small pictures for tooltips, maps and grids, as data URIs: they travel with the result, no request fetches them."""

from __future__ import annotations

import base64
import io

import numpy as np

THUMBNAIL_PX = 96


def data_uri(rgb_HWC: np.ndarray) -> str:
    """An upright uint8 RGB image as a WebP data URI, at its own size."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb_HWC).save(buffer, "WEBP", quality=70, method=1)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
