# One image for every process; the command says which (see compose.yaml).
FROM python:3.11-slim

RUN useradd --system --uid 10001 --home-dir /var/lib/emabler --create-home emabler
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/base.txt
COPY . .

USER emabler
ENV PYTHONUNBUFFERED=1 EMABLER_VAR_DIR=/var/lib/emabler
VOLUME /var/lib/emabler
EXPOSE 8000
# /readyz is false until migrations are applied and wake-ups get through.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://localhost:8000/readyz', timeout=4)"]
CMD ["python", "manage.py", "up", "--host", "0.0.0.0"]
