"""Privacy of generated faces: whom they resemble, whether a model remembers whom it saw, and what may go out."""
