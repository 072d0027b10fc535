"""Fusion: more than one view of the same thing brought together. Import what you need from its modules.

    multiscale.py   windows of several sizes over a ViT's patch tokens, added to its class token (re-identification)
    projection.py   points → pixels, with validity          bifusion.py   2-D features on 3-D points, gated
    losses.py       consistency with CLIP's image vector

Importing this package costs no torch; its modules do.
"""
