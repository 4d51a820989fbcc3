"""vox as a service of the user's session: what starts its daemon when nobody calls vox itself."""
