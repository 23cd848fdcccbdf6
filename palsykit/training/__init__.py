"""The one training loop, for the main model and for network fits alike."""
