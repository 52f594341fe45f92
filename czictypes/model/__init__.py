"""Plain values: geometry, dimensions, pixel types, errors. Imports nothing of czictypes."""
