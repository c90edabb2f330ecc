"""The project's own record of a paper; everything docpipe finds stays in docpipe's store."""

from __future__ import annotations

from django.db import models


class Paper(models.Model):
    """A paper that somebody handed in."""

    name = models.CharField(max_length=255)
    document_uuid = models.UUIDField(null=True)
