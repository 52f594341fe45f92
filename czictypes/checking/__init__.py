"""Finds out what is wrong with a file, and says what to do about it."""
