"""vox: a durable speech queue with warm neural voices."""

__version__ = "0.2.0"
