"""The document's XML and the attachments' records as Python values."""
