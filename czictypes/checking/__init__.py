"""Checks of files: each fault with its place, and what to do about it."""
