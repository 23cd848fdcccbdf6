"""What every network from another library needs: pictures as it expects them, and what its folder says of it."""
