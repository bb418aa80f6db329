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
    """Shows every operation, its parameters and bodies, and lets the reader send requests.

    Args:
        examples: Bodies to begin with, by path; others are made of the examples in the document.
    """

    def __init__(self, examples: Mapping[str, Any]) -> None:
        super().__init__(path="/", favicon="", style=STYLE)
        self._examples = examples

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page for a document."""
        title = html.escape(openapi_schema["info"]["title"])
        document = html.escape(self.get_openapi_json_route(request))
        sections = "".join(_sections(openapi_schema, self._examples))
        return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>{self.style}</head><body>
<h1>{title}</h1>
<p>{html.escape(openapi_schema["info"].get("description") or "")}</p>
<p>This page needs no network. The document: <a href="{document}">openapi.json</a>.
With a network there is <a href="/schema/swagger">Swagger UI</a> too.
Send <code>POST /login</code> below first; the browser then keeps the session.</p>
{sections}<script>{_SCRIPT}</script></body></html>""".encode()


def _sections(document: Mapping[str, Any], examples: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document.get("tags") or ()}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                body = _body(document, examples.get(path), operation)
                shown = _operation(method, path, operation, body)
                for tag in operation.get("tags") or ("Other",):
                    by_tag.setdefault(tag, []).append(shown)
    for tag, shown_operations in by_tag.items():
        if shown_operations:
            yield f"<h2>{html.escape(tag)}</h2>{''.join(shown_operations)}"


def _body(document: Mapping[str, Any], example: Any, operation: Mapping[str, Any]) -> str:
    """The field for the body of a request; empty for an operation without one."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if "json" in media_type:
            value = _example(document, content["schema"]) if example is None else example
            return f'<textarea rows="6" aria-label="Body">{html.escape(json.dumps(value, indent=2))}</textarea>'
    return ""


def _operation(method: str, path: str, operation: Mapping[str, Any], body: str) -> str:
    return f"""<details><summary><b class="{method}">{method.upper()}</b> <code>{html.escape(path)}</code>
{html.escape(operation.get("summary") or "")}</summary>
<p>{html.escape(operation.get("description") or "")}</p>
{_parameters(operation)}{_responses(operation)}
<form data-method="{method.upper()}"><input value="{html.escape(path)}" aria-label="Path">{body}
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


def _example(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """A value that satisfies an object's schema as far as its examples do: of each field that is required, or has one."""
    for part in schema.get("allOf") or ():
        schema = part
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    required = schema.get("required") or ()
    return {
        name: (field.get("examples") or [""])[0]
        for name, field in (schema.get("properties") or {}).items()
        if name in required or field.get("examples")
    }
