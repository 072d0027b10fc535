"""Multi-modal person re-identification: read `data.py` (what a triple is), then `model.py`, then `train.py`."""
