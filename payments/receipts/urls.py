"""Addresses of the driver's pages; short, because they are printed as QR codes."""

from django.urls import path, re_path

from payments.receipts import by_reference, credit_views, views

app_name = "receipts"
urlpatterns = [
    # A PTP that puts a slash of its own between base URL and reference means the same.
    re_path(r"^ref/+(?P<reference>[!-.0-~]{1,36})$", by_reference.find, name="by-reference"),
    path("<str:token>.pdf", views.document, name="pdf"),
    path("<str:token>/credit/<int:number>.pdf", credit_views.document, name="credit-pdf"),
    path("<str:token>/credit/<int:number>", credit_views.page, name="credit"),
    path("<str:token>/qr.svg", views.code, name="qr"),
    path("<str:token>", views.page, name="page"),
]
