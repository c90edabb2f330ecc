"""Hostile and odd files on real workers: what they are, how they may end, and what else is watched."""
