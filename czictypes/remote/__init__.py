"""Bytes of files behind a URL, or in any filesystem of fsspec."""
