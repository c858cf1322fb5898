"""`/docs`: the routes described and tried out in a page that runs no script but the one it came with."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

SWAGGER = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/"
"""Swagger UI, from the network it is published on; the page says so in its policy, and reaches nothing else."""


def pages(title: str, openapi_url: str) -> APIRouter:
    """The route of the page."""
    body = get_swagger_ui_html(
        openapi_url=openapi_url,
        title=title,
        swagger_js_url=f"{SWAGGER}swagger-ui-bundle.js",
        swagger_css_url=f"{SWAGGER}swagger-ui.css",
        swagger_favicon_url="data:,",
    ).body
    headers = {"content-security-policy": _policy(bytes(body))}
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        """The page."""
        return HTMLResponse(body, headers=headers)

    return router


def _policy(page: bytes) -> str:
    """What the page may load and run (W3C, CSP Level 3): its script by hash, Swagger UI, the API."""
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts]
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {SWAGGER} {' '.join(hashes)}",
            f"style-src {SWAGGER} 'unsafe-inline'",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
