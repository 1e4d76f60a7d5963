"""Measurements: the same work through cloudfs and through an empty file system, in turn, on the same machine."""
