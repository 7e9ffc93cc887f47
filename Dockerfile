# syntax=docker/dockerfile:1
# The site, the worker and beat are one image with different commands; docs/deploy.md says which.

FROM python:3.13-slim-bookworm AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/prod.txt /tmp/prod.txt
RUN pip install --require-hashes --only-binary :all: -r /tmp/prod.txt

FROM python:3.13-slim-bookworm AS site
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=project.settings.prod \
    PROJECT_VAR=/var/lib/site \
    STATIC_ROOT=/srv/static
RUN useradd --system --uid 10001 --home-dir /var/lib/site --create-home site \
    && install -d -o site -g site /srv/static
WORKDIR /srv/site
COPY --from=packages /opt/venv /opt/venv
COPY manage.py ./
COPY project ./project
COPY mozillians_basket ./mozillians_basket
USER site
# The key of this one command; it is in no layer.
RUN SECRET_KEY=only-for-collectstatic python manage.py collectstatic --noinput --skip-checks
EXPOSE 8000
CMD ["gunicorn", "project.wsgi:application", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--access-logfile", "-"]

# The sandbox Basket, for trying the image out. No part of a deployment.
FROM python:3.13-bookworm AS sandbox
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/dev.txt /tmp/dev.txt
RUN pip install --require-hashes -r /tmp/dev.txt \
    && useradd --system --uid 10001 --create-home sandbox
WORKDIR /srv/sandbox
COPY mozillians_basket ./mozillians_basket
USER sandbox
EXPOSE 8001
CMD ["python", "-m", "mozillians_basket.sandbox", "--host", "0.0.0.0", "--port", "8001", "--api-key", "sandbox"]
