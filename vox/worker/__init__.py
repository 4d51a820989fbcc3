"""`vox worker`: synthesizes for the daemons of other machines, and does nothing else.

It has hosts as the daemon has, and neither a queue of its own nor a history, a player or an API.
"""
