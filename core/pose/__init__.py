"""Head pose in words, and what turns those words into conditioning vectors. Read `text.py` first.

    angles.py     degrees: checking, wrapping, rotation matrices in the viewer's frame
    text.py       yaw, pitch, roll → caption (45 discrete ones, or the numbers themselves)
    rendering.py  a parametric head drawn at any pose, numpy only
    arms.py       the pose encoders by name
    encoders.py   yaw, pitch, roll → conditioning vectors: MLP, CLIP and their controls
    injection.py  a transformer block whose queries, keys and values take them

Light modules, except the last two: importing them costs no torch.
"""
