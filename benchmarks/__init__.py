"""Benchmarks of czictypes beside the other readers of CZI: ``python -m benchmarks``."""
