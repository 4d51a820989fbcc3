"""Adapters to text-to-speech systems; each lives in a host, none in the daemon."""
