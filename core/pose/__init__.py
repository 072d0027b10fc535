"""Head pose in words, and what turns those words into conditioning vectors. Read `text.py` first.

    angles.py     degrees: checking, wrapping, rotation matrices in the viewer's frame
    text.py       yaw, pitch, roll → caption (45 discrete ones, or the numbers themselves)
    rendering.py  a parametric head drawn at any pose, numpy only

Light modules: importing them costs no torch.
"""
