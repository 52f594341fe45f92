"""A pyramid: smaller images of each plane, with which viewers show large ones quickly."""
