"""Tests of the binding of libCZI."""
