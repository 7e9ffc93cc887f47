"""Sphinx's configuration of the documentation site."""

import os
import sys
import tomllib
from pathlib import Path

import django

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_extensions")]
# The reference is read from the code, which needs a site around it.
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings.test"
django.setup()

project = "mozillians_basket"
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
version = release
author = "the contributors of mozillians_basket"
project_copyright = f"%Y, {author}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "celery.contrib.sphinx", "django_models"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "mozillians-basket"
html_show_sourcelink = False
html_copy_source = False

myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_use_legacy_class_based = True  # as celery.contrib.sphinx needs
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True

# References into the app must lead somewhere. Those into Python and Django need their
# sites, which a build without a network cannot read.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!mozillians_basket\.).*")]
