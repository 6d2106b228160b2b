"""All settings, from the environment (12-factor); `.env.example` lists every key with its meaning.

A wrong value stops the start and names itself. SQLite in one process is the default; `DATABASE_URL` and
`REDIS_URL` turn the same code into several processes on PostgreSQL and Redis.
"""

import os
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from emabler.secrets import read_secret


class NamingEnv(environ.Env):
    """Reads the environment; a value that cannot be read stops the start and names its key."""

    def get_value(self, var: str, *arguments: Any, **options: Any) -> Any:
        """Return the value of `var`. Raises ImproperlyConfigured with its name."""
        try:
            return super().get_value(var, *arguments, **options)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {os.environ.get(var)!r} cannot be read ({error})") from None

    def bool(self, var: str, default: Any = False) -> bool:  # type: ignore[override]
        """Return a yes or no. Raises ImproperlyConfigured with its name for any other word."""
        word = self.str(var, default=str(default)).lower()
        if word not in (*self.BOOLEAN_TRUE_STRINGS, "false", "off", "n", "no", "0", ""):
            raise ImproperlyConfigured(f"{var}: {word!r} is neither yes nor no")
        return word in self.BOOLEAN_TRUE_STRINGS

    def amount(self, var: str, *, default: str) -> Decimal:
        """Return an amount of money in major units, above zero. Raises ImproperlyConfigured with its name."""
        text = self.str(var, default=default)
        if not re.fullmatch(r"\d{1,7}(\.\d{1,3})?", text) or not Decimal(text):
            raise ImproperlyConfigured(f"{var}: {text!r} is not an amount of money above zero")
        return Decimal(text)


BASE_DIR = Path(__file__).resolve().parent.parent
env = NamingEnv()
if (BASE_DIR / ".env").exists():
    environ.Env.read_env(BASE_DIR / ".env")

VAR_DIR = Path(env("EMABLER_VAR_DIR", default=str(BASE_DIR / "var")))
SECRETS_STORE = VAR_DIR / "secrets.env"

# --- Core -----------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("EMABLER_DEMO", default=False)  # virtual terminal page, demo network, loopback http
# Peers on this machine, in clear: for the demo, tests and journeys. Everyone else is called by https alone.
ALLOW_LOOPBACK_PEERS = env.bool("ALLOW_LOOPBACK_PEERS", default=DEMO)
SECRET_KEY = read_secret("SECRET_KEY", store=SECRETS_STORE)
# Receipt links are an HMAC of the session id under this key: changing it kills printed QR codes.
RECEIPT_TOKEN_KEY = read_secret("RECEIPT_TOKEN_KEY", store=SECRETS_STORE)
# Seals secrets that must be read back (webhook signing keys).
SEALING_KEY = read_secret("SEALING_KEY", store=SECRETS_STORE)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Printed in receipts and QR codes; without a value, the address that `manage.py up` listens on.
PUBLIC_URL = env("PUBLIC_URL", default=env("EMABLER_LISTEN_URL", default="http://127.0.0.1:8000")).rstrip("/")
ROOT_URLCONF = "emabler.urls"
ASGI_APPLICATION = "emabler.asgi.application"
WSGI_APPLICATION = "emabler.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "daphne",  # first, so that `runserver` serves ASGI
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "tariffs",
    "chargers",
    "sessions_app",
    "payments",
    "emabler",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Database -------------------------------------------------------------------------------------
_sqlite_default = f"sqlite:///{VAR_DIR / 'emabler.sqlite3'}"
DATABASES = {"default": env.db_url("DATABASE_URL", default=_sqlite_default)}
_database = DATABASES["default"]
if "ENGINE" not in _database:
    raise ImproperlyConfigured(
        "DATABASE_URL: not an address of a database, such as postgres://user:password@host/name"
    )
if _database["ENGINE"].endswith("sqlite3"):
    Path(_database["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    # WAL lets readers pass the one writer; IMMEDIATE takes the write lock at BEGIN, so two transactions
    # never deadlock on the upgrade from read to write.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=30000;",
    }
else:
    # Eight threads of chargers' sockets and four of the embedded worker keep a connection each, as the lock of the
    # only web process does: with fewer, requests would wait for one for ever.
    DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=20)
    if DATABASE_POOL_SIZE < 16:
        raise ImproperlyConfigured("DATABASE_POOL_SIZE: a process needs 16 connections at least")
    # Under ASGI a request lives in a thread of its own, so a pool replaces persistent connections. Each one is
    # checked when it is taken: after a restart of the database all that lie in the pool are dead.
    _database["CONN_HEALTH_CHECKS"] = True
    _database.setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": DATABASE_POOL_SIZE,
        "timeout": 15,
        # The pause between attempts doubles until then: with the default of five minutes a pool would come
        # back minutes after the database.
        "reconnect_timeout": 15,
    }

# --- Redis, Channels, Celery ----------------------------------------------------------------------
# Redis carries wake-ups only; losing all of it loses nothing (sweepers read the rows).
REDIS_URL = env("REDIS_URL", default="")
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "emabler.shared_cache.SharedCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Without Redis a wake-up stays in the process that sent it, so only one web process may serve a database.
SINGLE_WEB_PROCESS = not REDIS_URL

CELERY_BROKER_URL = REDIS_URL or "memory://localhost/"
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # however long Redis is away, a worker waits for it
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        # A wake-up must never hold up the transaction's caller: give up fast, the sweeper comes anyway. Without
        # `max_retries` kombu would try for six seconds; workers and beat reconnect by rules of their own.
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
        "max_retries": 0,
        # What a killed worker had taken is not delivered again: a sweep is sooner. Acknowledging on a
        # connection that is gone ends the worker.
        "ack_emulation": False,
    }
    if REDIS_URL
    else {"polling_interval": 0.05}
)
# A wake-up that was fetched waits for the task before it, though another process may have nothing to do.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# What a worker takes first, 0 before all: sweeps have 0 (emabler/celery.py), then wake-ups, then paper work. Redis
# knows this order; without it everything waits in one line.
CELERY_TASK_ROUTES = {
    "payments.tasks.draw_*": {"priority": 9},
    "payments.tasks.compare_*": {"priority": 9},
    "*": {"priority": 3},
}
# Celery would close the whole pool of connections with its threads before and after each task, which costs as much
# as the task; emabler/celery.py gives the connection back instead. A new process closes what it inherits all the same.
CELERY_DB_REUSE_MAX = sys.maxsize
CELERY_TASK_TIME_LIMIT = 50  # beyond the slowest task: a round of deliveries with a slow peer at its end
CELERY_TIMEZONE = "UTC"

# --- Time and language ----------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fi", "Suomi"), ("sv", "Svenska")]

# --- Static files ---------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # one command must serve the pages without a collectstatic step

# --- Security -------------------------------------------------------------------------------------
HTTPS = env.bool("HTTPS", default=False)  # set in production: secure cookies, HSTS, redirect
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)  # a proxy of ours sets X-Forwarded-For and -Proto
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]  # probes speak plain http from inside
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
# Not "no-referrer": a browser then posts forms with `Origin: null`, which the CSRF guard must refuse. The
# pages behind receipt links set the stricter one themselves.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
LOGIN_URL = "portal:login"
LOGIN_REDIRECT_URL = "portal:overview"
LOGOUT_REDIRECT_URL = "portal:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # no honest body of ours is larger
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

# --- API ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
}
PTP_REQUESTS_PER_MINUTE = env.int("PTP_REQUESTS_PER_MINUTE", default=1200)  # per API key
SPECTACULAR_SETTINGS = {
    "TITLE": "eMabler terminal API",
    "VERSION": "1.0.0",
    "DESCRIPTION": "The native API of payment terminals: price, start, follow, stop, settle, receipt.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/ptp/v1",
    "ENUM_NAME_OVERRIDES": {
        "SessionStateName": "payments.ptp_api.shapes.SESSION_STATES",
        "PaymentStateName": "payments.ptp_api.shapes.PAYMENT_STATES",
    },
}

# --- Seller (printed on receipts) -----------------------------------------------------------------
SELLER = {
    "name": env("SELLER_NAME", default="Demo CPO" if DEMO else ""),
    "address": env("SELLER_ADDRESS", default="Example Street 1, 00100 Helsinki" if DEMO else ""),
    "vat_id": env("SELLER_VAT_ID", default="FI00000000" if DEMO else ""),
    "support": env("SELLER_SUPPORT", default="support@example.org" if DEMO else ""),
}
CPO_COUNTRY_CODE = env("CPO_COUNTRY_CODE", default="FI")
CPO_PARTY_ID = env("CPO_PARTY_ID", default="EMB")

# --- Chargers -------------------------------------------------------------------------------------
OCPP_HEARTBEAT_INTERVAL_SECONDS = env.int("OCPP_HEARTBEAT_INTERVAL_SECONDS", default=300)
OCPP_METER_INTERVAL_SECONDS = env.int("OCPP_METER_INTERVAL_SECONDS", default=15)
OCPP_MAX_FRAME_BYTES = env.int("OCPP_MAX_FRAME_BYTES", default=65536)
# 1: Basic auth over ws (loopback, VPN). 2: Basic auth over wss, refused on plain ws.
OCPP_SECURITY_PROFILE = env.int("OCPP_SECURITY_PROFILE", default=1 if DEMO else 2)
OCPP_FRAMES_PER_SECOND = env.float("OCPP_FRAMES_PER_SECOND", default=20)  # sustained, per charger
OCPP_FRAME_BURST = env.int("OCPP_FRAME_BURST", default=100)

# --- Timers of a payment (MONEY.md names in brackets) ---------------------------------------------
COMMAND_TIMEOUT_SECONDS = env.float("COMMAND_TIMEOUT_SECONDS", default=30)  # T_cmd
START_TIMEOUT_PLUGGED_SECONDS = env.float("START_TIMEOUT_PLUGGED_SECONDS", default=120)  # T_start, cable in
START_TIMEOUT_UNPLUGGED_SECONDS = env.float(
    "START_TIMEOUT_UNPLUGGED_SECONDS", default=300
)  # T_start, no cable
START_TIMEOUT_MARGIN_SECONDS = env.float("START_TIMEOUT_MARGIN_SECONDS", default=15)
STOP_TIMEOUT_SECONDS = env.float("STOP_TIMEOUT_SECONDS", default=60)  # T_stop
FINAL_METER_TIMEOUT_SECONDS = env.float("FINAL_METER_TIMEOUT_SECONDS", default=120)  # T_final
STALE_AFTER_SECONDS = env.float("STALE_AFTER_SECONDS", default=15 * 60)  # T_offline, first step
REVIEW_OFFLINE_AFTER_SECONDS = env.float(
    "REVIEW_OFFLINE_AFTER_SECONDS", default=24 * 3600
)  # T_offline, second
REBOOT_GRACE_SECONDS = env.float("REBOOT_GRACE_SECONDS", default=10 * 60)  # B17
FULL_BATTERY_GRACE_SECONDS = env.float("FULL_BATTERY_GRACE_SECONDS", default=10 * 60)  # B12; 0 = never
CONFIRMATION_WARN_SECONDS = env.float("CONFIRMATION_WARN_SECONDS", default=15 * 60)  # T_fac
CONFIRMATION_ALERT_SECONDS = env.float("CONFIRMATION_ALERT_SECONDS", default=24 * 3600)  # T_fac, alert
HOLD_WARN_SECONDS = env.float("HOLD_WARN_SECONDS", default=5 * 24 * 3600)  # T_hold: issuers drop it in a week
QUOTE_VALID_SECONDS = env.float("QUOTE_VALID_SECONDS", default=10 * 60)
PRICE_CHANGE_GRACE_SECONDS = env.float("PRICE_CHANGE_GRACE_SECONDS", default=120)
SWEEP_INTERVAL_SECONDS = env.float("SWEEP_INTERVAL_SECONDS", default=5)
STOP_LATENCY_SECONDS = env.float("STOP_LATENCY_SECONDS", default=1.0)  # before it is learned from the charger
# Mere meter values are told to PTPs this often at most; changes of state are told at once.
LIVE_UPDATE_SECONDS = env.float("LIVE_UPDATE_SECONDS", default=10.0)
ZERO_ENERGY_THRESHOLD_WH = env.int("ZERO_ENERGY_THRESHOLD_WH", default=10)  # B15: below, nothing is charged
CHARGE_ZERO_ENERGY_SESSIONS = env.bool("CHARGE_ZERO_ENERGY_SESSIONS", default=False)
# Held where the tariff names no preauthorize_amount, in major units of the tariff's currency.
# These amounts are in CPO_CURRENCY; a tariff in another currency is sold with an amount of its own or its site's.
CPO_CURRENCY = env("CPO_CURRENCY", default="EUR")
DEFAULT_PREAUTHORIZE_AC = env.amount("DEFAULT_PREAUTHORIZE_AC", default="30")
DEFAULT_PREAUTHORIZE_DC = env.amount("DEFAULT_PREAUTHORIZE_DC", default="60")
# Smallest hold that may start a session: less would end before the driver has walked away.
MINIMUM_HOLD = env.amount("MINIMUM_HOLD", default="1")
# What may go back to a card by one person's decision, in major units of whatever currency; more takes two.
REFUND_SECOND_PERSON_ABOVE = env.amount("REFUND_SECOND_PERSON_ABOVE", default="100")

# --- What PTPs are told ---------------------------------------------------------------------------
# Between calls to a PTP that nothing gets through to. The sweep that makes them comes each five seconds.
PEER_PROBE_SECONDS = env.float("PEER_PROBE_SECONDS", default=10)
DELIVERY_GIVE_UP_HOURS = env.float("DELIVERY_GIVE_UP_HOURS", default=72)  # MONEY.md B22: at least
OCPI_LOG_DAYS = env.int("OCPI_LOG_DAYS", default=90)

# --- Logging --------------------------------------------------------------------------------------
LOG_LEVEL = env("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},  # tells every table of a font that it subsets
    },
}

if OCPP_SECURITY_PROFILE not in (0, 1, 2):
    raise ImproperlyConfigured(f"OCPP_SECURITY_PROFILE is {OCPP_SECURITY_PROFILE}; it must be 0, 1 or 2")
