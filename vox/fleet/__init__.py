"""The workers on other machines, and the Redis server that they and this one meet at.

Both sides use this room: the daemon that sends utterances (`session`) and `vox worker`, which makes
them. Without the setting `workers` only `keys` and `summary` are imported.
"""
