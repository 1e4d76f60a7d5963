"""Whole attributes on stores that keep none."""
