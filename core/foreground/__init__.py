"""Foreground or background? Components of an image, judged by CLIP with lists of prompts.

Read `analyse.py` first: picture → heat map → components → scores → explanation.

    request.py      what is asked for                              analyse.py      the whole way
    components.py   what a component is                            masks.py        its pixels, compactly
    mask_images.py  labels, colours, two-valued masks → components annotations.py  boxes, COCO and SAM JSON → components
    proposals.py    superpixels and the heat map, if none is given treatments.py   how a crop is shown
    prompts.py      what is judged with, checked; templates        prompt_lists.py the note's lists, COCO's, presets
    pipeline.py     image + components + prompts → scores          encoding.py     features of crops and of prompts
    scoring.py      cosines → the nine fields; the rule            heatmap.py      foreground map from CLIP's patches
    explain.py      what each prompt does                          leak.py         how much comes from outside the mask
    evaluate.py     treatments side by side, against truth         truth.py, metrics.py   its reading and arithmetic
    export.py       JSON and CSV                                   words.py        what is said

Importing `prompts`, `components` and its readers, `treatments`, `scoring`, `explain`, `request` costs no torch.
"""
