"""Addresses of the pages about money, within those of the portal."""

from django.urls import path

from emabler.portal.money import accept_views, act_views, export_views, file_views, views

urlpatterns = [
    path("", views.settlements, name="money"),
    path("payments/", views.payments, name="money-payments"),
    path("payments/export.csv", export_views.export_csv, name="money-csv"),
    path("payments/export.xlsx", export_views.export_xlsx, name="money-xlsx"),
    path("payments/<uuid:payment_id>/", views.payment, name="money-payment"),
    path("payments/<uuid:payment_id>/refund", act_views.refund, name="money-refund"),
    path("payments/<uuid:payment_id>/write-off", act_views.write_off, name="money-write-off"),
    path("payments/<uuid:payment_id>/accept", accept_views.accept, name="money-accept"),
    path("payments/<uuid:payment_id>/returned", accept_views.returned, name="money-returned"),
    path("refunds/<int:request_id>/approve", act_views.approve, name="money-approve"),
    path("refunds/<int:request_id>/decline", act_views.decline, name="money-decline"),
    path("review/", views.review, name="money-review"),
    path("review/<slug:kind>/<str:key>/", views.item, name="money-item"),
    path("review/<slug:kind>/<str:key>/do", act_views.do, name="money-do"),
    path("review/<slug:kind>/<str:key>/match", act_views.match, name="money-match"),
    path("files/", file_views.files, name="money-files"),
    path("files/<int:file_id>/", file_views.file, name="money-file"),
    path("files/<int:file_id>/withdraw", file_views.withdraw, name="money-file-withdraw"),
    path("files/columns/<int:ptp_id>/", file_views.columns, name="money-columns"),
]
