"""Monitoring: `snapshot` for the monitor and metrics, `health` for one answer."""
