"""One owned Python object per libCZI object, released exactly once."""
