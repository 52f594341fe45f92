"""Copies of documents: whole, in part, compressed anew, without what names people."""
