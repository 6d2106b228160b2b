from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0015_errors_in_row"),
    ]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="reviews_after",
            field=models.CharField(
                blank=True, help_text="what staff are asked next, with commas between", max_length=100
            ),
        ),
    ]
