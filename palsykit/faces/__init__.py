"""The domain: words, records, landmarks and the frame that faces are put in."""
