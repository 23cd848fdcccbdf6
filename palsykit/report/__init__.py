"""Reports: HTML pages, model cards, tables, plots and sheets of faces, each a pure function of plain data."""
