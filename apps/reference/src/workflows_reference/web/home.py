"""The page at ``/``: what this is and what to try."""

from __future__ import annotations

import html
from string import Template
from typing import Any, Final

from dishka.integrations.litestar import FromDishka, inject
from litestar import MediaType, Response, get

from workflows_reference.accounts.people import DEMO_PASSWORD, DEMO_USERS
from workflows_reference.settings import Settings
from workflows_reference.web.style import STYLE

__all__ = ["health", "home"]

_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>workflows demo</title>$style</head><body>
<h1>workflows demo</h1>
<p>Durable human-and-machine workflows inside a Litestar application. This is a <b>demo</b>: its people and their common
password are public, so keep it on this machine.</p>
<p><a href="/schema">All routes, and a form to try each</a></p>
<h2>People</h2>
<p>Everybody's password is <code>$password</code>.</p>
<table><tr><th>name<th>who<th>groups, roles<th>company</tr>$people</table>
<h2>Workflows</h2>
<table><tr><th>name<th>what happens</tr>
<tr><td><code>expense_approval</code><td>three checks in parallel, approval by the manager, by finance above 1000.00, a revise loop,
payment and receipt</tr>
<tr><td><code>document_review</code><td>reviewers in parallel, a decision, publish or revise</tr>
<tr><td><code>employee_onboarding</code><td>accounts and equipment in parallel, the supplier's call, the first day, a check-list</tr>
</table>
<h2>Try it</h2>
<p>The whole tour by itself: <code>workflows-demo tour --url $url</code>. By hand:</p>
<pre>$session</pre>
</body></html>
""")

_SESSION: Final = r"""URL=@URL@
JSON='Content-Type: application/json'
value() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }

# Alice and Bob log in; each gets a cookie.
for name in alice bob; do
  curl -sf -o /dev/null -c $name.cookies $URL/login -H "$JSON" -d '{"username": "'$name'", "password": "demo"}'
done

# Alice files an expense. Three checks run at once, then it waits for her manager.
ID=$(curl -sf -b alice.cookies $URL/workflows/api/instances -H "$JSON" -d '{
  "workflow_name": "expense_approval",
  "initial_data": {"purpose": "Train to Ghent, '$(date +%T)'", "category": "travel", "amount": 84.50}
}' | value '["id"]')
sleep 1

# Bob finds it among his tasks, and approves. The next steps pay it and write a receipt.
TASK=$(curl -sf -b bob.cookies "$URL/workflows/api/tasks?instance_id=$ID" | value '["items"][0]["id"]')
curl -sf -b bob.cookies $URL/workflows/api/tasks/$TASK/complete -H "$JSON" -d '{"form_data": {"decision": "approve"}}'
sleep 1

# What ran, in which order, and who decided; and the receipt.
curl -sf -b alice.cookies $URL/workflows/api/instances/$ID/history
curl -sf -b alice.cookies $URL/demo/files/$ID/receipt.txt
"""


@get("/", media_type=MediaType.HTML, include_in_schema=False)
@inject
async def home(settings: FromDishka[Settings]) -> Response[str]:
    """The home page."""
    people = "".join(
        f"<tr><td><code>{user.id}</code><td>{html.escape(user.name)}, {html.escape(user.job)}"
        f"<td>{', '.join((*user.groups, *user.roles))}<td>{user.tenant_id}</tr>"
        for user in DEMO_USERS
    )
    url = settings.base_url
    return Response(
        _PAGE.substitute(
            style=STYLE,
            password=DEMO_PASSWORD,
            people=people,
            url=html.escape(url),
            session=html.escape(_SESSION.replace("@URL@", url)),
        )
    )


@get("/health", tags=["Demo"], summary="Is it up?")
async def health() -> dict[str, Any]:
    """Answers when the demo serves."""
    return {"status": "ok", "application": "workflows-demo"}
