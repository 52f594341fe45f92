"""The bottom of the binding: find and load libCZI, call it, turn status codes into errors."""
