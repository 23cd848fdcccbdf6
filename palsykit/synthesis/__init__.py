"""Synthesis: what a user does with a trained run; one picture, or an expression by name."""
