"""Addresses of the driver's pages; short, because they are printed as QR codes."""

from django.urls import path

from payments.receipts import views

app_name = "receipts"
urlpatterns = [
    path("<str:token>.pdf", views.document, name="pdf"),
    path("<str:token>/qr.svg", views.code, name="qr"),
    path("<str:token>", views.page, name="page"),
]
