"""Seeing what goes on: `snapshot` for the monitor and metrics, `health` for one answer."""
