"""Benchmarks: what vox takes, heard or counted, never assumed. See `latency` and `backends`."""
