"""Photographs of users: one reader for every kind of picture file, the face frame, and marks that stay with a file."""
