"""Who is answered and who is refused, and what of a question goes wrong; no server, no program."""

import asyncio
import json
import re

import pytest

from handgrad.errors import HandgradError
from handgrad.studio.app import LARGEST_QUESTION, create_app
from handgrad.studio.page import file_page, live_page, policy

HERE = {"host": "127.0.0.1:8899"}


class Echo:
    name = "echo"

    async def run(self, events):
        events.publish(self.name, {"status": "here"})

    async def ask(self, question):
        if question.get("wrong"):
            raise HandgradError("this makes no sense", got="<b>")
        return question


def request(path, headers=HERE, *, method="GET", query="token=secret", body=b""):
    """Status, headers and body of an answer."""
    app, sent = create_app([Echo()], "secret", 8899), []
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "scheme": "http", "server": ("127.0.0.1", 8899), "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(m.get("body", b"") for m in sent[1:]).decode()


REFUSED = {
    "no token": (HERE, ""),
    "another token": (HERE, "token=guessed"),
    "another name of this machine": ({"host": "rebound.example:8899"}, "token=secret"),
    "another port": ({"host": "127.0.0.1:80"}, "token=secret"),
    "no host": ({}, "token=secret"),
    "another site's page": (HERE | {"origin": "https://evil.example"}, "token=secret"),
    "another server of this machine": (HERE | {"origin": "http://127.0.0.1:8888"}, "token=secret"),
    "a page from a file": (HERE | {"origin": "null"}, "token=secret"),
}


@pytest.mark.parametrize(("headers", "query"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/events", "GET"), ("/ask/echo", "POST")])
def test_strangers_are_refused(path, method, headers, query):
    status, answered, body = request(path, headers, method=method, query=query, body=b"{}")
    assert status == 403
    assert "access-control-allow-origin" not in answered
    assert "secret" not in body


def test_the_page_asks_and_is_answered():
    own = HERE | {"origin": "http://127.0.0.1:8899", "x-token": "secret"}
    status, answered, body = request("/ask/echo", own, method="POST", query="", body=b'{"a": [1, NaN]}')
    assert (status, json.loads(body)) == (200, {"a": [1, None]})
    assert answered["cache-control"] == "no-store"
    assert answered["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/ask/echo", b"{", 400, "not understood"),
        ("/ask/echo", b"[1]", 400, "no object"),
        ("/ask/echo", b"\xff", 400, "not understood"),
        ("/ask/echo", b'"' + b"x" * LARGEST_QUESTION + b'"', 400, "too long"),
        ("/ask/nobody", b"{}", 404, "no such view"),
        ("/ask/echo", b'{"wrong": 1}', 422, '{"error":"this makes no sense (got <b>)."}'),
    ],
    ids=["no JSON", "no object", "no text", "too long", "no such view", "refused"],
)
def test_what_is_wrong_with_a_question_is_said(path, body, status, said):
    found, _, answer = request(path, method="POST", body=body)
    assert found == status
    assert said in answer


def test_the_page_has_all_in_it_and_lets_nothing_else_run():
    page = live_page("secret")
    assert not re.search(r"""(?:src|href)=["'](?!data:)|@import|url\((?!["']?data:)""", page.partition("<script")[0])
    assert "default-src &#x27;none&#x27;" in page
    assert "unsafe-inline" not in policy().partition("style-src")[0]


def test_what_a_file_holds_does_not_end_the_script_that_it_stands_in():
    page = file_page("<b>", {"backward": {"text": "</script><script>alert(1)</script><!--"}}, {})
    data = re.search(r'<script id="handgrad-start" type="application/json">(.*?)</script>', page, re.DOTALL)[1]
    assert json.loads(data)["states"]["backward"]["text"].endswith("<!--")
    assert "<title>&lt;b&gt;</title>" in page
