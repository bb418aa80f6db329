"""The look of the demo's two pages."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root { color-scheme: light dark }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif }
code, pre, textarea, input, output { font: 14px/1.5 ui-monospace, monospace }
pre, output { display: block; overflow: auto; white-space: pre-wrap }
pre { padding: .75rem 1rem; border-left: 3px solid #4a7; background: #8881 }
table { border-collapse: collapse; margin: .5rem 0 }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
details { border-top: 1px solid #8884; padding: .4rem 0 }
summary { cursor: pointer }
summary b { display: inline-block; min-width: 3.5rem; color: #27c }
summary b.post { color: #284 }
summary b.delete { color: #b33 }
input, textarea { width: 100%; box-sizing: border-box; margin: .2rem 0 }
</style>"""
