"""Photographs into data sets: any registered data set written as a Hugging Face imagefolder, and what one lacks."""
