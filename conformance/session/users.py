"""Who makes the user's calls at the target."""

from conformance.model.case import Case
from conformance.model.service import Service
from conformance.session.service import Served
from conformance.session.user import User
from conformance.session.web import WebServer


def user_of(case: Case, service: Service | None) -> User:
    """Return the user: a `service` where there is no agent, a web server, or one who does as told."""
    if service is not None:
        return Served(service)
    return WebServer() if case.needs.http else User()
