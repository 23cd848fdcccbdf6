"""Other people's weights as ours: tensors out of checkpoints, public layouts checked key by key."""
