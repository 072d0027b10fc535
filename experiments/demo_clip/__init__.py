"""The built-in CLIP: its data, model, training, evaluation. Read `experiments/train_demo_clip.py` first.

artwork.py   emoji packages → one RGBA array per drawing style, and the names they share
head_bank.py rendered heads of random pose, shape and light → one array and a table of angles
data.py      artwork and heads → batches of composited images with captions, a pure function of (seed, step)
model.py     the architecture, the loss, the optimiser, the export
plan.py      what decides a training: learning rate, dropout, their course
train.py     steps, checkpoints, looks at validation
evaluate.py  the figures of the model card, on artwork and heads held out of training
"""
