from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_refunds_and_write_offs")]

    operations = [
        migrations.AddField(
            model_name="ocpiconnection",
            name="pending_token_hash",
            field=models.CharField(
                blank=True,
                help_text="of the token in a handshake that we began and that is not over",
                max_length=64,
            ),
        ),
    ]
