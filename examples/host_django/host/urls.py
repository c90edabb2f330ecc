"""Addresses."""

from __future__ import annotations

from django.urls import path

from host import views

urlpatterns = [path("papers", views.hand_in), path("papers/<int:pk>", views.show)]
