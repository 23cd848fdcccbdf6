"""What core needs of data sets in folders: the imagefolder's names, rejected photographs, faults of records."""
