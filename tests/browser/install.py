"""Installs the browser, and the servers of the site that it visits, where they are missing."""

from tests.browser.chromium import CHROMIUM
from tests.services.packages import POSTGRESQL, REDIS, provide

if __name__ == "__main__":
    provide({**POSTGRESQL, **REDIS, **CHROMIUM})
