"""Synthesis: what a user does with a trained run; one picture, an expression by name, pictures in bulk."""
