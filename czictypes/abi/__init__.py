"""The bottom of the binding: find and load libCZI's C API, call it, turn status codes into errors."""
