"""The OpenAPI document as one page that needs nothing from elsewhere: no content delivery network, so it works offline too."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

from workflows_reference.web.style import STYLE

__all__ = ["ApiPage"]

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_SCRIPT: Final = """
document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, answer = form.querySelector("output");
  const body = form.querySelector("textarea");
  const request = { method: form.dataset.method, headers: { accept: "application/json" } };
  if (body) { request.body = body.value; request.headers["content-type"] = "application/json"; }
  try {
    const response = await fetch(form.querySelector("input").value, request);
    const text = await response.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { }
    answer.textContent = response.status + " " + response.statusText + "\\n" + shown;
  } catch (error) { answer.textContent = String(error); }
});
"""


class ApiPage(OpenAPIRenderPlugin):
    """Shows every operation, its parameters and bodies, and lets the reader send requests."""

    def __init__(self, path: str = "/") -> None:
        super().__init__(path=path, favicon="", style=STYLE)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page for a document."""
        title = html.escape(openapi_schema["info"]["title"])
        document = html.escape(self.get_openapi_json_route(request))
        sections = "".join(_sections(openapi_schema))
        return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>{self.style}</head><body>
<h1>{title}</h1>
<p>{html.escape(openapi_schema["info"].get("description") or "")}</p>
<p>This page needs no network. The document: <a href="{document}">openapi.json</a>.
With a network there is <a href="/schema/swagger">Swagger UI</a> too.
Send <code>POST /login</code> below first; the browser then keeps the session.</p>
{sections}<script>{_SCRIPT}</script></body></html>""".encode()


def _sections(document: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document.get("tags") or ()}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                shown = _operation(document, method, path, operation)
                for tag in operation.get("tags") or ("Other",):
                    by_tag.setdefault(tag, []).append(shown)
    for tag, shown_operations in by_tag.items():
        if shown_operations:
            yield f"<h2>{html.escape(tag)}</h2>{''.join(shown_operations)}"


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    body = operation.get("requestBody")
    schema = _json_schema(body) if body else None
    textarea = ""
    if schema is not None:
        example = html.escape(json.dumps(_example(document, schema), indent=2))
        textarea = f'<textarea rows="6" aria-label="Body">{example}</textarea>'
    return f"""<details><summary><b class="{method}">{method.upper()}</b> <code>{html.escape(path)}</code>
{html.escape(operation.get("summary") or "")}</summary>
<p>{html.escape(operation.get("description") or "")}</p>
{_parameters(operation)}{_responses(operation)}
<form data-method="{method.upper()}"><input value="{html.escape(path)}" aria-label="Path">{textarea}
<button>Send</button><output></output></form></details>"""


def _parameters(operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(item['name'])}</code></td><td>{html.escape(item['in'])}</td>"
        f"<td>{html.escape(item.get('description') or '')}</td></tr>"
        for item in operation.get("parameters") or ()
    )
    return f"<table><tr><th>parameter<th>in<th></tr>{rows}</table>" if rows else ""


def _responses(operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(status)}</td><td>{html.escape(response.get('description') or '')}</td></tr>"
        for status, response in operation["responses"].items()
    )
    return f"<table><tr><th>answer<th></tr>{rows}</table>"


def _json_schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for media_type, content in (body.get("content") or {}).items():
        if "json" in media_type:
            schema: Mapping[str, Any] = content.get("schema") or {}
            return schema
    return None


def _example(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """A value to begin with: the first example of each field that has one, and of each that is required."""
    reference = schema.get("$ref")
    if reference is not None:
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    if schema.get("examples"):
        examples = schema["examples"]
        return examples[0] if isinstance(examples, list) else next(iter(examples.values()))
    required = schema.get("required") or ()
    return {
        name: _example(document, field) if field.get("examples") or "$ref" in field else ""
        for name, field in (schema.get("properties") or {}).items()
        if name in required or field.get("examples")
    }
