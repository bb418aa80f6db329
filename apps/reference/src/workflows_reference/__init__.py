"""Reference application: every package wired with dishka, configured from the environment."""

from __future__ import annotations
