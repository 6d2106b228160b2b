"""Wake-ups for the process that holds a charger's socket. A wake-up is a hint and may be lost.

In the same process it is a call into the socket's event loop; in another one a message over the channel
layer. Both only say "look at your rows": the row is the truth, and a sweep finds what a lost hint leaves.
"""

import asyncio
import logging
from collections.abc import Callable

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings

from chargers.failpoints import failpoint
from chargers.models import ChargingStation

logger = logging.getLogger(__name__)

HINT_TIMEOUT_SECONDS = 2.0  # a hint must never hold up the payment that it serves

_sockets: dict[int, tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = {}


def listen(station_pk: int, callback: Callable[[], None]) -> None:
    """Have `callback` called in the running loop whenever this station is woken; the newest listener wins."""
    _sockets[station_pk] = (asyncio.get_running_loop(), callback)


def stop_listening(station_pk: int, callback: Callable[[], None]) -> None:
    """Forget a listener, unless a newer one has taken its place."""
    known = _sockets.get(station_pk)
    if known is not None and known[1] == callback:
        del _sockets[station_pk]


def push_to_charger(station_pk: int) -> None:
    """Wake the socket of a station wherever it is. Called after commit; never raises."""
    failpoint("F05_before_hint")
    if wake_here(station_pk) or not settings.REDIS_URL:
        return
    try:
        async_to_sync(_send_hint)(station_pk, _channel_of(station_pk))
    except Exception:
        # Whatever the layer or its server does, the command's transaction has committed and the sweep follows.
        logger.warning(
            "hint for station %s was lost, the sweep will find its rows", station_pk, exc_info=True
        )


def wake_here(station_pk: int) -> bool:
    """Wake the station's socket if this process holds it; from any thread."""
    known = _sockets.get(station_pk)
    if known is None:
        return False
    loop, callback = known
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:  # the loop has ended
        return False
    return True


def _channel_of(station_pk: int) -> str:
    return ChargingStation.objects.filter(pk=station_pk).values_list("channel_name", flat=True).first() or ""


async def _send_hint(station_pk: int, channel_name: str) -> None:
    layer = get_channel_layer()
    if layer is None or not channel_name:
        return
    message = {"type": "charger.wake", "station_pk": station_pk}
    await asyncio.wait_for(layer.send(channel_name, message), HINT_TIMEOUT_SECONDS)
