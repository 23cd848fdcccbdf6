"""What a run shows its reader: a figure, an HTML page and a model card, each a pure function of plain data."""
