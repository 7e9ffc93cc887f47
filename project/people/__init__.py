"""The people of the site: their profiles, and who vouches for whom."""
