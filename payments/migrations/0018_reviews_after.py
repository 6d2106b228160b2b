from django.db import migrations, models


class Migration(migrations.Migration):
    """One doubt that waits is a list of one."""

    dependencies = [("payments", "0017_tariff_news")]

    operations = [
        migrations.RenameField("payment", "review_after", "reviews_after"),
        migrations.AlterField(
            model_name="payment",
            name="reviews_after",
            field=models.CharField(
                blank=True, help_text="what staff are asked next, with commas between", max_length=100
            ),
        ),
    ]
