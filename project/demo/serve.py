"""Serves the site and its static files over HTTP at a free port of this machine."""

from django.contrib.staticfiles.handlers import StaticFilesHandler
from waitress.server import create_server

from project.demo.table import say
from project.wsgi import application


def main() -> None:
    """Serve until a signal ends the process."""
    server = create_server(
        StaticFilesHandler(application), host="127.0.0.1", port=0, threads=4, ident=None
    )
    say(f"site ready at http://127.0.0.1:{server.effective_port}")
    server.run()


if __name__ == "__main__":
    main()
