"""N-d images: `CziImage` with dims, scenes and levels, as numpy, dask and xarray arrays."""
