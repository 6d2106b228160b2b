from django.db import migrations

from sessions_app.append_only import append_only


class Migration(migrations.Migration):

    dependencies = [
        ("sessions_app", "0003_credits"),
    ]

    operations = [
        append_only("sessions_app_sessionevent"),
        append_only("sessions_app_cdr"),
    ]
