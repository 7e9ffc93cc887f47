"""The error codes that Basket puts into its answers."""

from enum import IntEnum


class Code(IntEnum):
    """Numbered as in basket-client's ``basket.errors``."""

    NETWORK_FAILURE = 1
    INVALID_EMAIL = 2
    UNKNOWN_EMAIL = 3
    UNKNOWN_TOKEN = 4
    USAGE = 5
    PROVIDER_REFUSES = 6
    NOT_AUTHORIZED = 7
    SSL_REQUIRED = 8
    INVALID_NEWSLETTER = 9
    INVALID_LANGUAGE = 10
    EMAIL_NOT_CHANGED = 11
    CHANGE_REQUEST_NOT_FOUND = 12
    MOCK_FAILURE = 13
    INVALID_TOKEN = 14
    MAINTENANCE = 15
    UNKNOWN = 99
