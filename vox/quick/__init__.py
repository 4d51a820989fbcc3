"""The short way of a plain call to a daemon that is up: see `call`.

Nothing here imports more than Python itself has loaded by then, until the request is sent.
"""
