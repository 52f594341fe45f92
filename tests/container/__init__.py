"""Tests of the container floor, and the builder of CZI bytes that other tests use too."""
