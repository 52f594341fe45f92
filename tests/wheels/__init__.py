"""Tests of wheels, where their platforms can be had."""
