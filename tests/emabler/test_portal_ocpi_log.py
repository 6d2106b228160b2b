"""The log of OCPI traffic in the portal: what it shows, how it is searched, what it costs, what it survives."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from emabler.portal.ocpi import log
from emabler.portal.ocpi.reindent import reindented
from payments.models import OcpiMessage
from tests import builders
from tests.emabler.ocpi_cast import HOSTILE, connection, message, staff
from tests.emabler.tariff_forms import text

LOG = "/connections/log/"


@pytest.fixture
def viewer(db: None) -> Client:
    return staff("vera")


def shown(response: Any) -> list[int]:
    return [int(pk) for pk in re.findall(r'href="/connections/log/(\d+)/"', response.content.decode())]


class TestList:
    def test_it_is_empty_at_first(self, viewer: Client) -> None:
        assert "Nothing has been said over OCPI yet" in text(viewer.get(LOG))

    def test_a_call_shows_who_what_and_how_it_ended(self, viewer: Client) -> None:
        linked = connection(builders.ptp(name="Payter"))
        message(
            linked, method="POST", module="commands", http_status=200, ocpi_status=2003, error="no such EVSE"
        )
        message(linked, direction="OUT", http_status=None, ocpi_status=None, error="timed out")

        body = text(viewer.get(LOG))

        for phrase in (
            "Payter",
            "from them · commands",
            "200 · 2003",
            "no such EVSE",
            "to them",
            "no answer",
        ):
            assert phrase in body

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("connection={one}", {"fine", "refused", "lost"}),
            ("connection=unknown", {"stranger"}),
            ("direction=OUT", {"lost"}),
            ("module=cdrs", {"refused"}),
            ("outcome=trouble", {"refused", "lost", "stranger", "broken"}),
            ("outcome=fine", {"fine"}),
            ("outcome=ocpi", {"refused", "stranger", "broken"}),
            ("outcome=4xx", {"stranger"}),
            ("outcome=5xx", {"broken"}),
            ("outcome=none", {"lost"}),
            ("q=needle", {"refused"}),
            ("q=NEEDLE+&connection={other}", set()),
            ("q=cor-lost", {"lost"}),
            ("q=req-stranger", {"stranger"}),
            ("q=%25", set()),
            ("until=2020-01-01T00:00", set()),
            ("direction=OUT&outcome=fine", set()),
        ],
    )
    def test_filters_let_through_what_they_say(self, viewer: Client, query: str, expected: set[str]) -> None:
        one, other = connection(), connection()
        rows = {
            "fine": message(one),
            "refused": message(one, module="cdrs", ocpi_status=2001, request_body='{"x": "a Needle"}'),
            "lost": message(
                one, direction="OUT", http_status=None, ocpi_status=None, correlation_id="cor-lost"
            ),
            "stranger": message(None, http_status=401, ocpi_status=2001, request_id="req-stranger"),
            "broken": message(other, http_status=500, ocpi_status=3000),
        }

        found = shown(viewer.get(f"{LOG}?{query.format(one=one.pk, other=other.pk)}"))

        assert set(found) == {rows[name].pk for name in expected}

    @pytest.mark.parametrize(
        "query",
        [
            "connection=999",
            "connection=1'--",
            "direction=SIDEWAYS",
            "outcome=<svg>",
            "until=yesterday",
            "until=9999-12-31T23:59",
            "until=0001-01-01T00:00",
            "q=%00",
            "q=" + "x" * 200,
            "before=1-",
            "before=-1-1",
            "before=99999999999999999-999999999999999999",
            "after=0-0",
            "after=1%E2%85%A0-1",
            "before=%00",
            "module=a&module=b",
        ],
    )
    def test_a_filter_that_cannot_be_read_breaks_nothing(self, viewer: Client, query: str) -> None:
        message(connection())

        assert viewer.get(f"{LOG}?{query}").status_code == 200

    def test_pages_follow_each_other_without_gap_or_double_while_traffic_goes_on(
        self, viewer: Client
    ) -> None:
        linked, now = connection(), timezone.now()
        made = [message(linked, at=now - timedelta(seconds=number // 3)).pk for number in range(120)]
        expected = list(OcpiMessage.objects.order_by("-at", "-pk").values_list("pk", flat=True))
        query = f"connection={linked.pk}"

        first = viewer.get(f"{LOG}?{query}")
        message(linked)  # new traffic moves nothing
        second = viewer.get(_link(first, "Older"))
        third = viewer.get(_link(second, "Older"))

        assert shown(first) + shown(second) + shown(third) == expected
        assert len(made) == len(expected)
        assert "Older" not in text(third)
        assert query in _link(first, "Older")
        assert shown(viewer.get(_link(third, "Newer"))) == shown(second)
        newest = viewer.get(_link(viewer.get(_link(second, "Newer")), "Newer"))
        assert len(shown(newest)) == 1
        assert "Newer" not in text(newest)

    def test_two_hundred_messages_cost_what_one_does(
        self, viewer: Client, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(50):
            connection()
        linked = connection()
        row = message(linked, request_body='{"a": 1}')
        rows = [OcpiMessage(**_fields(row)) for _ in range(200)]
        OcpiMessage.objects.bulk_create(rows)

        for query in ("", f"?connection={linked.pk}&q=a&outcome=fine&until=2100-01-01T00:00"):
            with django_assert_max_num_queries(4):
                assert len(shown(viewer.get(LOG + query))) == log.ROWS_SHOWN

    def test_a_search_looks_at_a_bounded_number_of_rows(
        self, viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log, "SEARCHED", 2)
        now = timezone.now()
        old, _, newest = (message(None, at=now - timedelta(minutes=n), error="needle") for n in (9, 5, 1))

        found = viewer.get(f"{LOG}?q=needle")

        assert newest.pk in shown(found)
        assert old.pk not in shown(found)
        assert "newest 2 messages" in text(found)
        further = f"{LOG}?q=needle&until={now - timedelta(minutes=8):%Y-%m-%dT%H:%M}"
        assert shown(viewer.get(further)) == [old.pk]


@pytest.mark.django_db
class TestOne:
    def test_bodies_are_laid_out_with_every_digit_as_it_was(self, viewer: Client) -> None:
        sent = message(None, request_body='{"amount":0.10,"list":[1,{}]}', response_body="not json")

        body = viewer.get(f"{LOG}{sent.pk}/").content.decode()

        laid_out = "{\n  &quot;amount&quot;: 0.10,\n  &quot;list&quot;: [\n    1,\n    {}\n  ]\n}"
        assert laid_out in body
        assert "not json" in body

    def test_a_conversation_is_told_in_order_across_directions(self, viewer: Client) -> None:
        linked, now = connection(), timezone.now()
        for number, (direction, module) in enumerate(
            [("IN", "commands"), ("OUT", "commands"), ("OUT", "sessions")]
        ):
            message(
                linked,
                direction=direction,
                module=module,
                correlation_id="a/b?c&d",
                url=f"/step-{number}",
                at=now + timedelta(seconds=number),
            )
        message(linked, correlation_id="another", url="/elsewhere")
        link = re.findall(
            r'href="(/connections/log/conversation/\?id=a[^"]+)"', viewer.get(LOG).content.decode()
        )[0]

        body = text(viewer.get(link))

        assert "a/b?c&d" in body
        steps = [body.index(f"/step-{number}") for number in range(3)]
        assert steps == sorted(steps)
        assert "/elsewhere" not in body

    def test_a_conversation_that_never_was_is_not_found(self, viewer: Client) -> None:
        message(None, correlation_id="")

        for wanted in ("", "?id=", "?id=nothing", "?id=%00", "?id=" + "x" * 5000):
            assert viewer.get(f"{LOG}conversation/{wanted}").status_code == 404

    def test_a_conversation_has_an_end(self, viewer: Client, django_assert_max_num_queries: Any) -> None:
        row = message(connection(), correlation_id="endless")
        OcpiMessage.objects.bulk_create(OcpiMessage(**_fields(row)) for _ in range(150))

        with django_assert_max_num_queries(4):
            body = viewer.get(f"{LOG}conversation/?id=endless").content.decode()
        assert body.count("<summary>Answer</summary>") == log.CONVERSATION_SHOWN
        assert "There may be more" in body

    def test_hostile_traffic_stays_text(self, viewer: Client) -> None:
        linked = connection(builders.ptp(name=HOSTILE))
        sent = message(
            linked,
            method="<svg>",
            url=HOSTILE,
            module=HOSTILE[:40],
            request_id=HOSTILE,
            correlation_id=HOSTILE,
            request_body=f'{{"a": "{HOSTILE}"}}',
            response_body=HOSTILE,
            error=HOSTILE,
        )

        for path in (
            LOG,
            f"{LOG}{sent.pk}/",
            _link(viewer.get(f"{LOG}{sent.pk}/"), "Its whole conversation"),
        ):
            body = viewer.get(path).content.decode()
            assert "<svg" not in body
            assert "&lt;svg" in body
            assert not re.search(r"<style|\sstyle=|\son\w+=\"", body)


class TestReindent:
    @pytest.mark.parametrize(
        "value",
        [
            {},
            [],
            {"a": [1, {"b": [True, None]}], "c": "x"},
            {'q"{': 'quote " and \\ {[,:'},
            [[], {}, [[]]],
            {"e": "é\n"},
        ],
    )
    def test_json_says_the_same_afterwards(self, value: Any) -> None:
        assert json.loads(reindented(json.dumps(value))) == value
        assert json.loads(reindented(json.dumps(value, indent=3))) == value

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("", ""),
            ("<html>a{b</html>", "<html>a{b</html>"),
            ('{"a":"cut sho rt', '{\n  "a": "cut sho rt'),
            ('{"a":1}}}', '{\n  "a": 1\n}\n}\n}'),
        ],
    )
    def test_what_is_no_json_or_cut_short_loses_nothing(self, body: str, expected: str) -> None:
        assert reindented(body) == expected

    def test_depth_does_not_blow_it_up(self) -> None:
        assert len(reindented("[" * 8000)) < 8000 * (2 * 12 + 3)


def _link(response: Any, label: str) -> str:
    found = re.findall(rf'href="([^"]+)">{label}<', response.content.decode())
    href = found[0].replace("&amp;", "&")
    return href if href.startswith("/") else LOG + href


def _fields(row: OcpiMessage) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.fields if not field.primary_key}
