"""Whether synthetic faces are of use: a classifier trained on them, tested on real people whom nobody has seen."""
