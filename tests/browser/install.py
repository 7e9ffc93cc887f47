"""Installs the browser and the servers of its site, if they are missing."""

from tests.browser.chromium import CHROMIUM
from tests.services.packages import POSTGRESQL, REDIS, provide

if __name__ == "__main__":
    provide({**POSTGRESQL, **REDIS, **CHROMIUM})
