"""Other people's networks: their weights as our files, the licence of these, and pictures as they expect them."""
