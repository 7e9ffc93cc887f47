"""Installs the servers that the tests need, if they are missing."""

from tests.services.packages import POSTGRESQL, RABBITMQ, REDIS, provide

if __name__ == "__main__":
    provide({**POSTGRESQL, **REDIS, **RABBITMQ})
