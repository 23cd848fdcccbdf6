"""Other projects' networks: tensors in their checkpoints, layouts, licences, and pictures as they expect them."""
