"""Conditional diffusion: the model, its training objective and synthesis."""
