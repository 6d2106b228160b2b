from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0007_told_cdrs'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='confirmation',
            index=models.Index(fields=['ptp', '-received_at'], name='confirmation_newest'),
        ),
        migrations.AddIndex(
            model_name='outboxmessage',
            index=models.Index(condition=models.Q(('state__in', ['DUE', 'GIVEN_UP'])), fields=['ptp', 'state'], name='outbox_open'),
        ),
    ]
