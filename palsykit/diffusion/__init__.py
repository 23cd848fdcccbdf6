"""Conditional diffusion: the model, its objective, its synthesis and where randomness comes from."""
