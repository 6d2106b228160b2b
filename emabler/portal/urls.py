"""Addresses of the portal."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from emabler.portal import views
from emabler.portal.login import SignIn

app_name = "portal"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("money/", include("emabler.portal.money.urls")),
    path("tariffs/", include("emabler.portal.tariffs.urls")),
    path("connections/", include("emabler.portal.ocpi.urls")),
    path("sessions/<uuid:session_id>/", views.session, name="session"),
    path("sessions/<uuid:session_id>/stop", views.stop, name="stop"),
]
