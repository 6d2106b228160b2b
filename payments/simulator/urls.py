"""Addresses of the virtual terminal."""

from django.urls import path

from payments.simulator import views

app_name = "terminal"
urlpatterns = [
    path("webhook", views.webhook, name="webhook"),
    path("<str:terminal_id>/", views.home, name="home"),
    path("<str:terminal_id>/start/", views.connectors, name="connectors"),
    path("<str:terminal_id>/start/<uuid:connector_id>/", views.offer, name="offer"),
    path("<str:terminal_id>/tap", views.tap, name="tap"),
    path("<str:terminal_id>/sessions/<uuid:session_id>/", views.session, name="session"),
    path("<str:terminal_id>/sessions/<uuid:session_id>/qr.svg", views.code, name="code"),
    path("<str:terminal_id>/sessions/<uuid:session_id>/stop", views.stop, name="stop"),
    path("<str:terminal_id>/stop/", views.running, name="running"),
    path("<str:terminal_id>/receipts/", views.receipts, name="receipts"),
    path("<str:terminal_id>/language/", views.languages, name="languages"),
]
