"""Stands in for setuptools while pip downloads a source distribution; see native/fetch.py."""
