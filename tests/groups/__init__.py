"""Tests of project.groups."""
