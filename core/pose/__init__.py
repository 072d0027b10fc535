"""Head pose in words, and what turns those words into conditioning vectors. Read `text.py` first.

    angles.py     degrees: checking, wrapping, rotation matrices in the viewer's frame
    text.py       yaw, pitch, roll → caption (45 discrete ones, or the numbers themselves)
    rendering.py  a parametric head drawn at any pose, numpy only
    arms.py       the pose encoders by name, each in one entry
    encoders/     yaw, pitch, roll → conditioning vectors: MLP, CLIP and their controls
    injection.py  a transformer block whose queries, keys and values take them
    embedding.py  captions → CLIP's text embeddings, cached
    audit.py      what an encoder makes of the space of poses
    zero_shot.py  a picture of a head → the 45 captions ranked
    poses/        a CSV of poses → captions and vectors, streaming

Light modules, except encoders and injection: importing them costs no torch.
"""
