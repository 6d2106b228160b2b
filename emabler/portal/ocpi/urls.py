"""Addresses of the OCPI pages, within those of the portal."""

from django.urls import path

from emabler.portal.ocpi import act_views, log_views, outbox_views, terminal_views, views

urlpatterns = [
    path("", views.connections, name="ocpi"),
    path("new/", views.new_connection, name="ocpi-new"),
    path("log/", log_views.log, name="ocpi-log"),
    path("log/conversation/", log_views.one_conversation, name="ocpi-conversation"),
    path("log/<int:message_pk>/", log_views.message, name="ocpi-message"),
    path("outbox/", outbox_views.outbox, name="ocpi-outbox"),
    path("outbox/<uuid:message_pk>/send", outbox_views.send_again, name="ocpi-send"),
    path("outbox/<uuid:message_pk>/give-up", outbox_views.give_up, name="ocpi-give-up"),
    path("outbox/all/<int:ptp_pk>/send", outbox_views.send_all_again, name="ocpi-send-all"),
    path("<int:connection_pk>/", views.connection, name="ocpi-connection"),
    path("<int:connection_pk>/settings", views.change_settings, name="ocpi-settings"),
    path("<int:connection_pk>/contracts", views.add_contract, name="ocpi-contract-add"),
    path(
        "<int:connection_pk>/contracts/<int:contract_pk>/remove",
        views.remove_contract,
        name="ocpi-contract-remove",
    ),
    path("<int:connection_pk>/terminals/<int:terminal_pk>/", terminal_views.terminal, name="ocpi-terminal"),
    path("<int:connection_pk>/terminals/<int:terminal_pk>/assign", terminal_views.assign, name="ocpi-assign"),
    path(
        "<int:connection_pk>/terminals/<int:terminal_pk>/unassign",
        terminal_views.unassign,
        name="ocpi-unassign",
    ),
    path(
        "<int:connection_pk>/terminals/<int:terminal_pk>/contract",
        terminal_views.name_contract,
        name="ocpi-terminal-contract",
    ),
    path("<int:connection_pk>/terminals/<int:terminal_pk>/off/", terminal_views.switch_off, name="ocpi-off"),
    path("<int:connection_pk>/<slug:slug>/", act_views.act, name="ocpi-act"),
]
