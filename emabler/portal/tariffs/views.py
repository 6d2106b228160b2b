"""Pages of the tariffs: list, one tariff, editor. All staff may look; `tariffs.change_tariff` may change."""

from collections.abc import Callable
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chargers.models import Connector, Site
from emabler.portal.tariffs import saving
from emabler.portal.tariffs.draft import FORM, JSON, Draft, opened, posted
from emabler.portal.tariffs.example import Example, Setting, example
from emabler.portal.tariffs.pages import findings_in_use, tariff_list, tariff_page
from emabler.portal.tariffs.rows import rearranged
from emabler.portal.tariffs.shape import Identity, filled_from
from emabler.portal.views import staff
from tariffs.afir import MIN_POWER_W
from tariffs.engine.errors import UnknownTimeZone
from tariffs.engine.money import to_minor
from tariffs.engine.terms import Dimension, PriceComponent, TariffElement, TariffType, TaxIncluded
from tariffs.engine.terms import Tariff as Terms
from tariffs.engine.wall_clock import find_zone
from tariffs.models import Tariff, TariffVersion

QUERY_LENGTH = 60
REASONS_SHOWN = 20
View = Callable[..., HttpResponse]
may_change: Callable[[View], View] = permission_required("tariffs.change_tariff", raise_exception=True)


@staff
@require_safe
def tariffs(request: HttpRequest) -> HttpResponse:
    """List the tariffs."""
    page, rows = tariff_list(request.GET.get("page"))
    return render(request, "portal/tariffs.html", {"here": "tariffs", "page": page, "rows": rows})


@staff
@require_safe
def tariff(request: HttpRequest, tariff_pk: int) -> HttpResponse:
    """Show one tariff: what it says, where it is sold, what it said before."""
    query = " ".join(request.GET.get("q", "").replace("\0", "").split())[:QUERY_LENGTH]
    try:
        page = tariff_page(tariff_pk, query)
    except Tariff.DoesNotExist:
        raise Http404 from None
    return render(request, "portal/tariff.html", {"here": "tariffs", "page": page})


@staff
@may_change
@require_POST
def attach(request: HttpRequest, tariff_pk: int) -> HttpResponse:
    """Attach connectors, and say which must not be."""
    facts = _facts(request)
    result = _of_tariff(saving.attach, tariff_pk, _chosen(request.POST), **facts)
    if result.added:
        messages.success(request, f"{_connectors(result.added)} now sell by this tariff.")
    for place, finding in result.refused[:REASONS_SHOWN]:
        messages.error(request, f"Refused at {place}: {finding.message} ({finding.rule})")
    if not result.added and not result.refused:
        messages.error(request, "Choose connectors first.")
    return redirect("portal:tariff", tariff_pk)


@staff
@may_change
@require_POST
def detach(request: HttpRequest, tariff_pk: int) -> HttpResponse:
    """Detach connectors."""
    facts = _facts(request)
    count = _of_tariff(saving.detach, tariff_pk, _chosen(request.POST), **facts)
    if count:
        messages.success(request, f"{_connectors(count)} no longer sell by this tariff.")
    else:
        messages.error(request, "Choose connectors first.")
    return redirect("portal:tariff", tariff_pk)


@staff
@may_change
@require_POST
def offer(request: HttpRequest, tariff_pk: int) -> HttpResponse:
    """Offer the tariff to drivers or stop offering it."""
    active = request.POST.get("active") == "1"
    _of_tariff(saving.offer, tariff_pk, active=active, user=request.user)
    messages.success(
        request, "It is offered to drivers." if active else "It is no longer offered to drivers."
    )
    return redirect("portal:tariff", tariff_pk)


def _of_tariff(act: Callable[..., Any], tariff_pk: int, *arguments: Any, **facts: Any) -> Any:
    try:
        return act(tariff_pk, *arguments, **facts)
    except Tariff.DoesNotExist:
        raise Http404 from None


def _facts(request: HttpRequest) -> dict[str, Any]:
    return {"user": request.user, "now": timezone.now()}


def _chosen(data: QueryDict) -> list[int]:
    texts = data.getlist("connector")
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 19]


def _connectors(count: int) -> str:
    return "1 connector" if count == 1 else f"{count} connectors"


@staff
@may_change
@require_http_methods(["GET", "HEAD", "POST"])
def new_tariff(request: HttpRequest) -> HttpResponse:
    """Write a new tariff."""
    return _editor(request, None)


@staff
@may_change
@require_http_methods(["GET", "HEAD", "POST"])
def edit_tariff(request: HttpRequest, tariff_pk: int) -> HttpResponse:
    """Write the next version of a tariff."""
    found = Tariff.objects.filter(pk=tariff_pk).first()
    if found is None:
        raise Http404
    return _editor(request, found)


def _editor(request: HttpRequest, tariff: Tariff | None) -> HttpResponse:
    version = tariff.current_version if tariff else None
    stored = version.terms() if version else None
    setting = _setting(tariff, stored)
    if request.method != "POST":
        terms = stored or _suggested(tariff)
        sample = {"power_kw": setting.power_w // 1000, "starts_at": setting.starts_at.replace(tzinfo=None)}
        draft = opened(terms, sample=sample, mode=request.GET.get("mode", ""))
        if tariff is None:
            draft.main.initial["tariff_id"] = ""
        return _shown(request, tariff, draft, setting, based_on=version.number if version else 0)
    action = request.POST.get("action", "")
    data = rearranged(request.POST, action)
    draft = posted(data or request.POST, identity=_identity(tariff), new=tariff is None)
    based_on = _number(request.POST.get("based_on", ""))
    if action == "save" and draft.terms and not draft.problems:
        saved = _saved(request, tariff, draft, based_on)
        if saved is not None:
            return saved
    return _shown(request, tariff, _in_mode(draft, action), setting, based_on=based_on)


def _saved(request: HttpRequest, tariff: Tariff | None, draft: Draft, based_on: int) -> HttpResponse | None:
    """Store it and go to its page; None, with the reasons told, where it cannot be stored."""
    terms, facts = draft.terms, _facts(request)
    assert terms is not None, "only sound drafts are saved"
    try:
        if tariff is None:
            version = saving.create(terms, **facts)
        else:
            version = saving.change(tariff.pk, terms, based_on=based_on, **facts)
    except saving.IdTaken as taken:
        form = draft.document if draft.mode == JSON else draft.main
        form.add_error("document" if draft.mode == JSON else "tariff_id", str(taken))
    except saving.Outdated as outdated:
        messages.error(request, f"{outdated} Open the editor again to see it; nothing was saved.")
    except saving.Refused as refused:
        messages.error(request, "Not saved: AFIR does not allow this where the tariff is sold.")
        for place, finding in refused.reasons[:REASONS_SHOWN]:
            messages.error(request, f"{place}: {finding.message} ({finding.rule})")
    else:
        news = "Nothing changed." if version.number == based_on else f"Version {version.number} is saved."
        messages.success(request, f"{news} Running sessions keep the price they began with.")
        return redirect("portal:tariff", version.tariff_id)
    return None


def _in_mode(draft: Draft, action: str) -> Draft:
    """Change between form and JSON, where what was written is sound enough to be carried over."""
    if draft.terms is None or action not in ("to-json", "to-form"):
        return draft
    sample = {name: draft.sample[name].value() for name in draft.sample.fields}
    return opened(draft.terms, sample=sample, mode=JSON if action == "to-json" else FORM)


def _shown(
    request: HttpRequest, tariff: Tariff | None, draft: Draft, setting: Setting, *, based_on: int
) -> HttpResponse:
    context = {
        "here": "tariffs",
        "tariff": tariff,
        "draft": draft,
        "based_on": based_on,
        "example": _example(draft, setting),
        "time_zone": setting.time_zone,
        "form_can": draft.terms is not None and filled_from(draft.terms) is not None,
        "in_use": findings_in_use(tariff.pk, draft.terms) if tariff and draft.terms else [],
    }
    part = request.POST.get("part") == "preview"
    return render(request, "portal/_tariff_preview.html" if part else "portal/tariff_editor.html", context)


def _example(draft: Draft, setting: Setting) -> Example | None:
    if draft.terms is None:
        return None
    if draft.sample.is_bound:
        if not draft.sample.is_valid():
            return None
        said = draft.sample.cleaned_data
        power_w = int(said["power_kw"] * 1000)
        starts_at = said["starts_at"].replace(tzinfo=find_zone(setting.time_zone))
    else:
        power_w, starts_at = setting.power_w, setting.starts_at
    return example(
        draft.terms,
        Setting(
            power_w=power_w,
            starts_at=starts_at,
            time_zone=setting.time_zone,
            country=setting.country,
            default_hold_minor=to_minor(_default_hold(power_w), draft.terms.currency),
        ),
    )


def _default_hold(power_w: int) -> Decimal:
    amount: Decimal = (
        settings.DEFAULT_PREAUTHORIZE_DC if power_w >= MIN_POWER_W else settings.DEFAULT_PREAUTHORIZE_AC
    )
    return amount


def _setting(tariff: Tariff | None, stored: Terms | None) -> Setting:
    """The example plays where the tariff is sold, else at the first site, today at noon."""
    sold = (
        Connector.objects.filter(tariffs=tariff, evse__removed=False) if tariff else Connector.objects.none()
    )
    first = sold.select_related("evse__site").order_by("evse__site").first()
    site = first.evse.site if first else Site.objects.order_by("pk").first()
    power_w = sold.aggregate(most=Max("max_power_w"))["most"] or 150_000
    zone = site.time_zone if site else "UTC"
    try:
        local = find_zone(zone)
    except UnknownTimeZone:
        zone, local = "UTC", find_zone("UTC")
    today = timezone.now().astimezone(local).date()
    return Setting(
        power_w=max(power_w, 1000),
        starts_at=datetime.combine(today, time(12), local),
        time_zone=zone,
        country=site.country if site else "",
        default_hold_minor=0,
    )


def _suggested(tariff: Tariff | None) -> Terms:
    """What a new tariff begins with: currency and VAT are those of the tariff written last."""
    last = TariffVersion.objects.order_by("-pk").first()
    like = last.terms() if last else None
    vat = like.elements[0].price_components[0].vat if like else None
    identity, energy = _identity(tariff), PriceComponent(Dimension.ENERGY, Decimal("0.49"), vat)
    return Terms(
        country_code=identity.country_code,
        party_id=identity.party_id,
        id=identity.id,
        currency=like.currency if like else "EUR",
        elements=(TariffElement((energy,)),),
        tax_included=TaxIncluded.YES,
        type=TariffType.AD_HOC_PAYMENT,
    )


def _identity(tariff: Tariff | None) -> Identity:
    if tariff is None:
        return Identity(settings.CPO_COUNTRY_CODE, settings.CPO_PARTY_ID, "NEW")
    return Identity(tariff.country_code, tariff.party_id, tariff.tariff_id)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
