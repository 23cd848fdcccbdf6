"""Files: whole or absent, named by what they are made of, with where they come from."""
