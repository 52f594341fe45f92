"""The document's XML and the attachments' records as Python values, and the way back.

Reading functions take the XML as bytes, text or a tree (`xml.parse`). They return None for a
missing field. For a field that cannot be understood, they return None and issue a `MetadataWarning`
that names it. Only text that is not XML raises an error: `CorruptFileError`.
"""
