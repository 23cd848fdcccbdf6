"""Evaluation: figures with bootstrap intervals, and the synthesis passes that metrics need."""
