"""What each role and scope may ask for: one table. What it does not list needs the root key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prysm.core.values import dataclass
from prysm.errors import Forbidden

if TYPE_CHECKING:
    from prysm.core.caller import Caller, Role, Scope

PUBLIC = re.compile(
    r"/(health|ready|metrics|docs|docs/oauth2-redirect|openapi\.json|\.well-known/prysm-keys\.json"
    r"|v1/log/(checkpoint|tile/.+|proof/consistency)|v1/proof/[^/]+(/|/stages/[^/]+)?)"
)
"""Routes that need no key: process checks, the documentation, receipts, whose ids cannot be guessed, and the log with
its keys, which is for strangers and holds nothing but hashes."""

ROOT: frozenset[Role] = frozenset({"root"})
ADMINS: frozenset[Role] = frozenset({"root", "admin"})
RUNNERS: frozenset[Role] = frozenset({"root", "admin", "member"})
ALL: frozenset[Role] = frozenset({"root", "admin", "member", "reader"})
ID = "[^/]+"


@dataclass(frozen=True, slots=True)
class Need:
    """Who may: one of `roles`; a key that is limited to scopes only with `scope` among them."""

    roles: frozenset[Role]
    scope: Scope | None


RULES: tuple[tuple[str, str, frozenset[Role], Scope | None], ...] = (
    ("POST", "/v1/chat/completions", RUNNERS, "chat"),
    ("POST", "/v1/messages", RUNNERS, "chat"),
    ("POST", "/v1/messages/count_tokens", RUNNERS, "chat"),
    ("POST", "/v1/responses", RUNNERS, "chat"),
    ("POST", f"/v1/responses/{ID}/cancel", RUNNERS, "chat"),
    ("GET", f"/v1/responses/{ID}(/input_items)?", ALL, "chat"),
    ("DELETE", f"/v1/responses/{ID}", RUNNERS, "chat"),
    ("POST", "/v2/orchestrate", RUNNERS, "chat"),
    ("POST", "/v1/route", RUNNERS, "chat"),
    ("POST", "/v1/embeddings", RUNNERS, "embeddings"),
    ("GET", "/v1/models(/.*)?", ALL, None),
    ("GET", f"/v1/proof/{ID}(/|/stages/{ID})?", ALL, None),  # where receipts are not public
    ("POST", "/v1/proof/verify", ALL, None),
    ("POST", "/v1/feedback", RUNNERS, "feedback"),
    ("GET", "/v1/feedback", ALL, "feedback"),
    ("GET", "/v1/usage", ALL, "usage"),
    ("GET|PATCH|DELETE", f"/v1/budgets/{ID}", ADMINS, "admin"),
    ("GET|POST", "/v1/budgets", ADMINS, "admin"),
    ("GET", "/v1/credits", ADMINS, "admin"),
    ("GET", f"/v1/keys(/{ID})?", ADMINS, "admin"),
    ("POST", f"/v1/keys(/{ID}/rotate)?", ADMINS, "admin"),
    ("PATCH|DELETE", f"/v1/keys/{ID}", ADMINS, "admin"),
    ("GET", f"/v1/projects(/{ID})?", ADMINS, "admin"),
    ("POST", "/v1/projects", ADMINS, "admin"),
    ("PATCH", f"/v1/projects/{ID}", ADMINS, "admin"),
    ("GET", f"/v1/audit(/{ID})?", ADMINS, "admin"),
    ("GET|POST", "/v1/providers/keys", ADMINS, "admin"),
    ("GET|DELETE", f"/v1/providers/keys/{ID}", ADMINS, "admin"),
)
"""Methods, path, roles, scope. The handlers see to it that an admin's organisation is the only one he meets."""

NOBODY_ELSE = Need(ROOT, None)
_EXACT = {
    (method, path): Need(roles, scope)
    for methods, path, roles, scope in RULES
    if not set("[(") & set(path)
    for method in methods.split("|")
}
_KEYED = frozenset(path for _, path in _EXACT if PUBLIC.fullmatch(path) is None)
_PATTERNS = tuple(
    (re.compile(f"(?:{methods}) {path}", re.DOTALL), Need(roles, scope)) for methods, path, roles, scope in RULES
)


def is_public(path: str, *, proofs: bool) -> bool:
    """Whether a path takes no key; `proofs` says whether receipts are public."""
    if path in _KEYED:  # nearly all that are asked for
        return False
    return PUBLIC.fullmatch(path) is not None and (proofs or not path.startswith("/v1/proof/"))


def need(method: str, path: str) -> Need:
    """Who may ask for this. HEAD is a GET without its body."""
    method = "GET" if method == "HEAD" else method
    found = _EXACT.get((method, path))
    if found is not None:
        return found
    line = f"{method} {path}"
    return next((known for pattern, known in _PATTERNS if pattern.fullmatch(line)), NOBODY_ELSE)


def check(caller: Caller, method: str, path: str) -> None:
    """Raise `Forbidden` unless `caller` may ask for this."""
    if caller.role == "root":
        return
    needed = need(method, path)
    if needed is NOBODY_ELSE:
        raise Forbidden("This takes the root key, if there is such a route at all: /docs lists them.")
    if caller.role not in needed.roles:
        can = " or ".join(role for role in ("member", "admin") if role in needed.roles) or "root"
        raise Forbidden(f"A key with the role '{caller.role}' may not do this: ask with one of a {can}.")
    if caller.scopes is not None and needed.scope is not None and needed.scope not in caller.scopes:
        raise Forbidden(
            f"This key has not the scope '{needed.scope}': an admin can give it with PATCH /v1/keys/ID."
        )
