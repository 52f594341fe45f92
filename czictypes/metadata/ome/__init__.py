"""The metadata as objects of OME's data model, through the package ome-types.

What goes in are the plain values that reading gives (`values`); what comes out is valid against
the OME schema 2016-06, whatever they are: a value that the schema does not allow is left out, with
a `MetadataWarning` that names it.
"""
