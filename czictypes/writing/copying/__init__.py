"""Copies of documents: whole or in part, compressed anew, or anonymised."""
