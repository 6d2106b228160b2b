"""Our OCPI door as a platform sees it."""

from django.test import Client

from payments.simulator.ocpi.wire import token_header


class Door:
    """What a platform can do with one token of ours."""

    def __init__(self, token, *, raw=False):
        self.token, self.raw, self.http = token, raw, Client()

    def call(self, method, path="", body=None, *, version="2.3.0"):
        options = {"data": body, "content_type": "application/json"} if body is not None else {}
        address = path or f"/ocpi/cpo/{version}/credentials"
        headers = {"Authorization": token_header(self.token, raw=self.raw)}
        answer = getattr(self.http, method)(address, headers=headers, **options)
        return answer.status_code, answer.json()

    def register(self, platform, *, version="2.3.0", **changes):
        """POST credentials; return the token that we gave."""
        status, said = self.call("post", body=platform.credentials(**changes), version=version)
        assert (status, said["status_code"]) == (200, 1000), said
        return said["data"]["token"]
