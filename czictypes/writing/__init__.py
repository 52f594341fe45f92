"""Creating, extending, copying and editing CZI files."""
