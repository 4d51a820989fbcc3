"""What `vox remote` does with ssh: its configuration, and one login on a server."""
