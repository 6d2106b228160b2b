"""Our native terminal API as a PTP calls it, over HTTP."""

from typing import Any

import httpx

TIMEOUT_SECONDS = 10.0
Body = dict[str, Any]


class ApiTrouble(Exception):
    """The API could not be reached or did not answer in its own words."""


class ApiProblem(Exception):
    """The API said no; `code` is its word for it."""

    def __init__(self, status: int, body: Body) -> None:
        super().__init__(str(body.get("detail") or body.get("code") or status))
        self.status = status
        self.body = body
        self.code = str(body.get("code", ""))


class NativeApi:
    """One PTP's view of the API; `client` knows the server's address."""

    def __init__(self, client: httpx.Client, api_key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}

    def get(self, path: str, **query: str) -> Body:
        """Read something. Raises ApiProblem, ApiTrouble."""
        return self._call("GET", path, params={name: value for name, value in query.items() if value})

    def post(self, path: str, body: Body | None = None, *, idempotency_key: str = "") -> Body:
        """Tell or ask something. Raises ApiProblem, ApiTrouble."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._call("POST", path, json=body or {}, headers=headers)

    def _call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **rest: Any) -> Body:
        try:
            answer = self._client.request(
                method, f"/api/ptp/v1/{path}", headers={**self._headers, **(headers or {})}, **rest
            )
            body = answer.json()
        except (httpx.HTTPError, ValueError) as problem:
            raise ApiTrouble(str(problem)) from problem
        if not isinstance(body, dict):
            raise ApiTrouble(f"an object was expected from {path}")
        if answer.status_code >= 400:
            raise ApiProblem(answer.status_code, body)
        return body
