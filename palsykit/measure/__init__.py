"""Measure: figures as functions of rows, and the passes of synthesis that they need."""
