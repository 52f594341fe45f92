"""OME-Zarr: out of a CZI and into one."""
