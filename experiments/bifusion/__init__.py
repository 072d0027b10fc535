"""BiFusion: CLIP image features on 3-D points, per-point segmentation of rooms. Read `data.py`, then `model.py`."""
