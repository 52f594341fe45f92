"""The document's XML and the attachments' records as Python values, and the way back.

Reading functions take the XML as bytes, text or a tree that `xml.parse` made, and never raise
for a field that is missing or odd: the value is None then, with a `fields.MetadataWarning`
that names the field where its text could not be understood. Only XML that is no XML at all
raises `CorruptFileError`.
"""
