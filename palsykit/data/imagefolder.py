"""The format that prepared data has: Hugging Face's imagefolder, a table of labels beside pictures."""

IMAGEFOLDER = "imagefolder"
"""The data set that reads the format; it is registered by the format's own name."""

METADATA = "metadata.jsonl"
"""The table that is written."""

TABLES = (METADATA, "metadata.csv")
"""Names of the table that are read."""

FORMATS = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif"),
}
"""Pillow's name of each picture format that is read -> its suffixes. HEIF needs the extra ``heif``."""

SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)
