"""The groups that people of the site belong to."""
