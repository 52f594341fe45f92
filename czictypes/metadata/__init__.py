"""The document's XML and the attachments' records as Python values, and the way back.

Functions that read take the XML as bytes, text or a tree (`xml.parse`). For a field that is missing
they give None; for one that cannot be understood None and a `MetadataWarning` that names it. Only
text that is not XML raises: `CorruptFileError`.
"""
