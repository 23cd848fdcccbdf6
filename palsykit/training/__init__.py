"""The training loop, used for the main model and for fitting networks."""
