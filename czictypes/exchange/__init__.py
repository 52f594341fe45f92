"""Exchange with other formats: OME-Zarr, OME-TIFF, TIFF, pictures."""
