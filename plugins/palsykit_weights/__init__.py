"""Trained weights that ship with palsykit; recipes name them ``palsykit_weights:FILE``. No hooks, only files."""
