"""AI assistants that vox can be set up for: which there are, and how their files are edited.

Owns what `vox init` writes and removes. Knows nothing of jobs, nor of what the hooks say (`hooks`).
"""
