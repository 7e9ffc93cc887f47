"""Settings for the tests: fast, and separate from the developer's own data."""

import atexit
import os
import shutil
import tempfile

# New in every process, so that parallel test processes share no file. In the environment, so
# that processes with the development settings which a test starts use the same files.
os.environ["PROJECT_VAR"] = tempfile.mkdtemp(prefix="mozillians-basket-")
atexit.register(shutil.rmtree, os.environ["PROJECT_VAR"], ignore_errors=True)
# Each test begins with empty caches: not with those of a developer's server.
os.environ["CACHE_URL"] = ""

from project.settings.base import *  # noqa: E402, F403

DEBUG = False
SECRET_KEY = "only-for-tests"  # noqa: S105
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

BASKET_URL = "http://127.0.0.1:1"
BASKET_API_KEY = "only-for-tests"
