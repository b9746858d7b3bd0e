"""The server's answers: the page, a stream of events, and questions to the views; to nobody without the token."""

import asyncio
import contextlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from handgrad.errors import HandgradError
from handgrad.studio.events import Events, encoded
from handgrad.studio.page import live_page
from handgrad.studio.views.view import View

LARGEST_QUESTION = 4 * 2**20
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(views: Sequence[View], token: str, port: int) -> Starlette:
    """The server of one page.

    Args:
        views: what the page shows; each runs as long as the server does.
        token: what every request has to name.
        port: where it is reached, on this machine alone.
    """
    events, by_name = Events(), {view.name: view for view in views}

    async def page(_: Request) -> Response:
        return HTMLResponse(live_page(token))

    async def stream(_: Request) -> Response:
        return StreamingResponse(events.stream(), media_type="text/event-stream")

    async def ask(request: Request) -> Response:
        view = by_name.get(request.path_params["view"])
        if view is None:
            return PlainTextResponse("there is no such view\n", 404)
        try:
            question = json.loads(await _body(request))
            if not isinstance(question, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            return PlainTextResponse(f"the question is not understood: {error}\n", 400)
        try:
            answer = await view.ask(question)
        except HandgradError as error:
            return Response(encoded({"error": str(error)}), 422, media_type="application/json")
        return Response(encoded(answer), media_type="application/json")

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = [asyncio.create_task(view.run(events), name=view.name) for view in views]
        try:
            yield
        finally:
            events.close()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    routes = [
        Route("/", page),
        Route("/events", stream),
        Route("/ask/{view}", ask, methods=["POST"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.add_middleware(Guarded, token=token, port=port)
    app.state.events = events
    return app


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_QUESTION:
            raise ValueError("it is too long")
    return body


class Guarded:
    """Refuses whoever has not the token, comes by another name of this machine, or from another site's page."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:  # noqa: D107
        self.app, self.token = app, token
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refusal = self._refusal(Request(scope))
        if refusal is not None:
            await PlainTextResponse(f"{refusal}\n", 403, headers=HEADERS)(scope, receive, send)
            return
        await self.app(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> str | None:
        if request.headers.get("host") not in self.hosts:
            return "this server is reached as 127.0.0.1 or localhost alone"
        origin = request.headers.get("origin")
        if origin is not None and origin.removeprefix("http://") not in self.hosts:
            return "another site's page has nothing to ask here"
        given = request.headers.get("x-token") or request.query_params.get("token") or ""
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return "the token is missing or not the right one: open the address that 'handgrad studio' printed"
        return None


def _with_headers(send: Send) -> Callable[..., Awaitable[None]]:
    """The same, each answer with the headers that keep it from other pages."""

    async def sent(message: dict) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            added = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
            message["headers"] = [*message["headers"], *(pair for pair in added if pair[0] not in given)]
        await send(message)

    return sent
