"""What the process as a whole remembers of itself."""

from typing import ClassVar

from django.db import models


class SweepRun(models.Model):
    """When a sweep last ran to its end, in whichever process; the sweeps are what money waits for."""

    task = models.CharField(max_length=100, primary_key=True)
    ran_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["task"]

    def __str__(self) -> str:
        return f"{self.task} {self.ran_at:%H:%M:%S}"
