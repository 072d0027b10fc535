"""Foreground or background? Components of an image, judged by CLIP with lists of prompts.

Read `pipeline.py` first: image + components + prompts → scored components.

    components.py   what a component is                            masks.py        its pixels, compactly
    mask_images.py  labels, colours, two-valued masks → components annotations.py  boxes, COCO and SAM JSON → components
    proposals.py    superpixels and the heat map, if none is given treatments.py   how a crop is shown
    prompts.py      the lists, presets, templates, checks          scoring.py      cosines → the nine fields
    heatmap.py      foreground map from CLIP's patches             explain.py      what each prompt does
    leak.py         how much comes from outside the mask           evaluate.py     AUROC and AP against truth
    export.py       JSON and CSV

Importing `prompts`, `components` and its readers, `treatments`, `scoring`, `explain` costs no torch.
"""
