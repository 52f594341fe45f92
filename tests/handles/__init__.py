"""Tests of the handles floor."""
