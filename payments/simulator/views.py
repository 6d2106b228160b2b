"""The screens of the virtual terminal. They speak to the platform, which speaks to our public API; the rows
of a payment are never touched from here."""

import hashlib
import hmac
import io
import uuid
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import httpx
import segno
from django.conf import settings
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from payments.receipts.languages import NAMES, WORDS, choose
from payments.simulator import credentials, psp, screens
from payments.simulator.native_api import TIMEOUT_SECONDS, ApiProblem, ApiTrouble, NativeApi
from payments.simulator.ocpi.driver import PtpDriver
from payments.simulator.over_ocpi import OverOcpi
from payments.simulator.platform import Order, Platform
from payments.simulator.terminal_side import TerminalSide
from payments.simulator.words import SCREEN_WORDS

REFRESH_SECONDS = 2
LANGUAGE_COOKIE = "terminal_language"
OFFER_SALT = "payments.simulator.offer"
CARDS = {"visa": psp.VISA, "mastercard": psp.MASTERCARD, "declined": psp.EMPTY}

View = Callable[..., HttpResponse]


def connect() -> httpx.Client:
    """Return a way to our own public API."""
    return httpx.Client(base_url=settings.PUBLIC_URL, timeout=TIMEOUT_SECONDS)


def side_of(terminal_id: str, client: httpx.Client) -> TerminalSide | None:
    """Return the PTP's side of a simulated terminal, whichever way that PTP speaks; None for another."""
    control_url = credentials.control_url(terminal_id) if settings.DEMO else None
    if control_url:
        return OverOcpi(PtpDriver(control_url, http=client), terminal_id=terminal_id)
    return platform_for(terminal_id, client)


def platform_for(terminal_id: str, client: httpx.Client) -> Platform | None:
    """Return the platform of a terminal over the native API; its memory is a file of its own."""
    api_key = credentials.find(terminal_id) if settings.DEMO else None
    if api_key is None:
        return None
    name = hashlib.sha256(terminal_id.encode()).hexdigest()[:16]
    memory = Path(settings.VAR_DIR) / f"terminal-{name}.json"
    return Platform(NativeApi(client, api_key), terminal_id=terminal_id, memory=memory)


def terminal_screen(view: View) -> View:
    """Open a simulated terminal in demo mode; without its platform it is out of order, never an error."""

    @wraps(view)
    def opened(request: HttpRequest, terminal_id: str, **rest: Any) -> HttpResponse:
        with connect() as client:
            platform = side_of(terminal_id, client)
            if platform is None:
                raise Http404
            try:
                response = view(request, platform, **rest)
            except (ApiTrouble, ApiProblem) as trouble:
                status = 404 if isinstance(trouble, ApiProblem) and trouble.status == 404 else 503
                again = status == 503 and request.method == "GET"
                response = _show(request, terminal_id, "out_of_order", status=status, looks_again=again)
        response["Cache-Control"] = "no-store"
        return response

    return opened


@require_safe
@terminal_screen
def home(request: HttpRequest, platform: TerminalSide) -> HttpResponse:
    """Show the four choices: Start, Stop, Receipt, Language."""
    platform.heartbeat()
    return _show(request, platform.terminal_id, "home", running=len(platform.running()))


@require_safe
@terminal_screen
def connectors(request: HttpRequest, platform: TerminalSide) -> HttpResponse:
    """Show the connectors with their price, and their state as it changes."""
    language = language_of(request)
    choices = [screens.choice(each, language) for each in platform.connectors(language)]
    return _show(request, platform.terminal_id, _part_or(request, "connectors"), choices=choices)


@require_safe
@terminal_screen
def offer(request: HttpRequest, platform: TerminalSide, connector_id: uuid.UUID) -> HttpResponse:
    """Show price, terms and the hold of one connector, and wait for the card."""
    language = language_of(request)
    connector = platform.connector(str(connector_id), language)
    if connector is None or not connector["available"]:
        return redirect("terminal:connectors", platform.terminal_id)
    quote = platform.quote(str(connector_id), language)
    held = screens.money(quote["preauthorize_amount"], quote["currency"], language)
    signed = signing.dumps(
        {
            "tap_id": str(uuid.uuid4()),
            "connector_id": str(connector_id),
            "quote_id": quote["quote_id"],
            "amount": quote["preauthorize_amount"],
            "currency": quote["currency"],
        },
        salt=OFFER_SALT,
    )
    return _show(
        request,
        platform.terminal_id,
        "offer",
        choice=screens.choice(connector, language),
        quote=quote,
        hold_text=SCREEN_WORDS[language].hold_text.format(held),
        offer=signed,
    )


@require_POST
@terminal_screen
def tap(request: HttpRequest, platform: TerminalSide) -> HttpResponse:
    """Hold a card to the reader. The offer is signed, so that the amount is the one that was shown."""
    card = CARDS.get(request.POST.get("card", ""))
    try:
        agreed = signing.loads(request.POST.get("offer", ""), salt=OFFER_SALT)
    except signing.BadSignature:
        agreed = None
    if card is None or agreed is None:
        return redirect("terminal:connectors", platform.terminal_id)
    tap_id = uuid.UUID(agreed.pop("tap_id"))
    done = platform.tap(tap_id, Order(language=language_of(request), **agreed), card)
    if done.session_id:
        return redirect("terminal:session", platform.terminal_id, done.session_id)
    return _show(request, platform.terminal_id, done.outcome, connector_id=agreed["connector_id"])


@require_safe
@terminal_screen
def session(request: HttpRequest, platform: TerminalSide, session_id: uuid.UUID) -> HttpResponse:
    """Show how a session goes; settles what is due, as a platform does that also polls."""
    language = language_of(request)
    state = platform.session(str(session_id))
    if state["settlement"] is not None and state["settlement"]["due"]:
        platform.settle_due()
        state = platform.session(str(session_id))
    progress = screens.progress(state, language)
    return _show(request, platform.terminal_id, _part_or(request, "session"), progress=progress)


@require_safe
@terminal_screen
def code(request: HttpRequest, platform: TerminalSide, session_id: uuid.UUID) -> HttpResponse:
    """Draw the QR code of a receipt's address, as a terminal does to which nobody gives a picture."""
    url = platform.session(str(session_id))["receipt"]["url"]
    if not url:
        raise Http404
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind="svg", scale=8, svgclass=None, lineclass=None)
    return HttpResponse(out.getvalue(), content_type="image/svg+xml")


@require_POST
@terminal_screen
def stop(request: HttpRequest, platform: TerminalSide, session_id: uuid.UUID) -> HttpResponse:
    """Stop a session."""
    platform.stop(str(session_id))
    return redirect("terminal:session", platform.terminal_id, session_id)


@require_safe
@terminal_screen
def running(request: HttpRequest, platform: TerminalSide) -> HttpResponse:
    """Show what can be stopped."""
    language = language_of(request)
    rows = [screens.progress(each, language) for each in platform.running()]
    return _show(request, platform.terminal_id, "running", rows=rows)


@require_safe
@terminal_screen
def receipts(request: HttpRequest, platform: TerminalSide) -> HttpResponse:
    """Show the receipts of the last 24 hours."""
    language = language_of(request)
    rows = [screens.receipt_row(each, language) for each in platform.receipts()]
    return _show(request, platform.terminal_id, "receipts", rows=rows)


@require_safe
@terminal_screen
def languages(request: HttpRequest, platform: TerminalSide) -> HttpResponse:
    """Show the languages; choosing one leads home."""
    chosen = request.GET.get("lang", "")
    if chosen not in NAMES:
        return _show(request, platform.terminal_id, "languages", names=NAMES.items())
    response = redirect("terminal:home", platform.terminal_id)
    response.set_cookie(LANGUAGE_COOKIE, chosen, samesite="Lax", httponly=True, secure=settings.HTTPS)
    return response


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Hear our own webhooks as a PTP does: check the signature, then settle what is due."""
    if not settings.DEMO:
        raise Http404
    called = [name for name, secret in credentials.webhook_secrets().items() if _signed(request, secret)]
    if not called:
        return JsonResponse({"code": "bad_signature"}, status=401)
    try:
        if request.headers.get("X-Emabler-Event") in ("settlement.due", "refund.due"):
            _settle(called)
    except (ApiTrouble, ApiProblem):
        return JsonResponse({"code": "try_again"}, status=503)  # the outbox will
    return HttpResponse(status=204)


def _settle(terminal_ids: list[str]) -> None:
    with connect() as client:
        for terminal_id in terminal_ids:
            if platform := platform_for(terminal_id, client):
                platform.settle_due()


def _signed(request: HttpRequest, secret: str) -> bool:
    parts = dict(
        part.partition("=")[::2] for part in request.headers.get("X-Emabler-Signature", "").split(",")
    )
    signed = f"{parts.get('t', '')}.".encode() + request.body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(expected, parts.get("v1", ""))


def language_of(request: HttpRequest) -> str:
    """Return the language of the screen: chosen here before, or the browser's."""
    accepted = request.headers.get("Accept-Language", "").split(",")[:10]
    return choose([request.COOKIES.get(LANGUAGE_COOKIE, ""), *(part.partition(";")[0] for part in accepted)])


def _part_or(request: HttpRequest, screen: str) -> str:
    """Return the changing part of a screen for the script that keeps it fresh, else the whole of it."""
    return f"_{screen}" if request.GET.get("part") == "live" else screen


def _show(
    request: HttpRequest, terminal_id: str, screen: str, *, status: int = 200, **more: Any
) -> HttpResponse:
    language = language_of(request)
    context = {
        "language": language,
        "screen": SCREEN_WORDS[language],
        "words": WORDS[language],
        "terminal_id": terminal_id,
        "refresh_seconds": REFRESH_SECONDS,
        **more,
    }
    return render(request, f"terminal/{screen}.html", context, status=status)
