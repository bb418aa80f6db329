"""Who may use the demo: people, their passwords, and how a request says who makes it.

This is a demo: its people and their common password are in the source. In your application this part is what you have already.
"""

from __future__ import annotations
