"""What the notebook prints, as published."""

LINES = 32_033
LONGEST = 15
VOCABULARY = 27
SPLITS = (182_625, 22_655, 22_866)
PARAMETERS_64 = 4_137
PARAMETERS_200 = 12_297
FIRST_LOSS = 3.5369
"""Of one copy, whose names.txt is another (182,618 / 22,644 / 22,892), and so its first minibatch too."""
LOGITS_MAXDIFF = 6e-9
HPREACT_MAXDIFF = 5e-7
HPREBN_MAXDIFF = 9e-10
FINAL_LOSSES = ((2.0722, 2.1114), (2.0705, 2.1099), (2.0719, 2.1162))
"""Train and validation: of a learner's copy, of the original, and of its author as named there."""
