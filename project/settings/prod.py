"""Settings for production: HTTPS only, secrets from the environment, the real Basket."""

from django.core.exceptions import ImproperlyConfigured

from project.settings import base
from project.settings.base import *  # noqa: F403
from project.settings.base import env

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Make one with `python -c 'import secrets; "
        "print(secrets.token_urlsafe(50))'`, give it to all of the site's processes in "
        "the environment variable SECRET_KEY, and keep it as you keep a password."
    )
# Keys of before, while sessions and links that they signed should still be accepted.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

BASKET_URL = env.str("BASKET_URL", default="") or "https://basket.mozilla.org"

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
# Off for a trial over plain HTTP only: browsers would not send the cookies back.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=True)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# An hour: a browser cannot be made to forget it. Raise it once HTTPS works reliably.
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=True)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=True)

# Only behind a proxy that always sets or strips this header (such as HTTP_X_FORWARDED_PROTO):
# otherwise any client could claim to use HTTPS.
_proxy_header = env.str("SECURE_PROXY_SSL_HEADER", default="")
SECURE_PROXY_SSL_HEADER = (_proxy_header, "https") if _proxy_header else None

# gunicorn serves the static files too, for a deployment whose proxy does not.
MIDDLEWARE = [
    base.MIDDLEWARE[0],
    "whitenoise.middleware.WhiteNoiseMiddleware",
    *base.MIDDLEWARE[1:],
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
