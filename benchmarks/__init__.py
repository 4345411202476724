"""Measurements and reproductions, run by `make`; each prints both sides of what it compares."""
