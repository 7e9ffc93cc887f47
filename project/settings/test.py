"""Settings for the tests: fast, and apart from the developer's own data."""

import atexit
import os
import shutil
import tempfile

# Anew in every process, so that parallel test processes share no file; in the
# environment, so that what a test starts with the development settings shares them with it.
os.environ["PROJECT_VAR"] = tempfile.mkdtemp(prefix="mozillians-basket-")
atexit.register(shutil.rmtree, os.environ["PROJECT_VAR"], ignore_errors=True)

from project.settings.base import *  # noqa: E402, F403

DEBUG = False
SECRET_KEY = "only-for-tests"  # noqa: S105
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

BASKET_URL = "http://127.0.0.1:1"
BASKET_API_KEY = "only-for-tests"
