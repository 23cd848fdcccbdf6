"""Measure: figures as functions of rows, what pictures are asked for and compared with, and the passes they need."""
