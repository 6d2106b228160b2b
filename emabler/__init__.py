"""Composition root: settings, URLs, ASGI, Celery, the operator portal and the commands that cross apps."""

from emabler.celery import app as celery_app

__all__ = ["celery_app"]
