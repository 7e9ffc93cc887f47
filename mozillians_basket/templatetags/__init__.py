"""Tags for the templates of this app."""
