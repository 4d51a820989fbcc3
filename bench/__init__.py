"""Benchmarks: what vox takes, heard or counted, never assumed. See `bench.latency`, `bench.backends`."""
