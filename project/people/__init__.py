"""The people of the site: their profiles and vouches."""
