"""Foreground or background? Components of an image, judged by CLIP with lists of prompts.

Read `pipeline.py` first: image + components + prompts → scored components.

    components.py  mask images, boxes, COCO and SAM JSON → components        masks.py      their pixels, compactly
    proposals.py   superpixels and the heat map, where none are given        treatments.py how a crop is shown
    prompts.py     the lists, presets, templates, checks                     scoring.py    cosines → the nine fields
    heatmap.py     foreground map from CLIP's patches                        explain.py    what each prompt does
    leak.py        how much comes from outside the mask                      evaluate.py   AUROC and AP against truth
    export.py      JSON and CSV

Importing `prompts`, `components`, `treatments`, `scoring`, `explain` costs no torch.
"""
