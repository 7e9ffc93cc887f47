"""Tests of project.people."""
