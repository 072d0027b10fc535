"""The pose experiment: does a head pose in words, read by CLIP, serve a face model better than three numbers?

    landmarks.py 68 landmarks of varied 3-D heads (the generated data, and the mean head that real data lean on)
    data.py      generated, AFLW2000-3D, 300W-LP, .npz and .csv → training, validation and test faces
    metrics.py   NME by |yaw|, AUC, failure rate, geodesic error
    model.py     the transformer, conditioned by any encoder of `core.pose`
    plan.py      everything that decides a run's numbers
    train.py     one run: train, choose on validation, test once; killed, it goes on to the same numbers
    sweep.py     every arm with every seed

`python -m experiments.train_universal` is the way in.
"""
