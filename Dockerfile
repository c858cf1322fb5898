# syntax=docker/dockerfile:1

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/base.txt requirements/build.txt requirements/
RUN python -m venv /opt/build && python -m venv /opt/prysm \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && /opt/prysm/bin/pip install --no-cache-dir --require-hashes -r requirements/base.txt
COPY pyproject.toml README.md LICENSE alembic.ini ./
COPY migrations migrations
COPY src src
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/prysm/bin/pip install --no-cache-dir --no-deps /dist/*.whl \
    && /opt/prysm/bin/pip uninstall --yes pip

# No embedded Postgres and no local model in the image: name a database in PRYSM_DATABASE_URL.
FROM python:3.13-slim
LABEL org.opencontainers.image.title="Prysm" \
      org.opencontainers.image.description="A self-hosted HTTP gateway that spends several language models on one prompt and seals every answer with a receipt." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin prysm \
    && install --directory --owner prysm --group prysm --mode 0700 /data
COPY --from=build /opt/prysm /opt/prysm
ENV PATH=/opt/prysm/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PRYSM_HOST=0.0.0.0 \
    PRYSM_PORT=8080 \
    PRYSM_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health' % os.environ['PRYSM_PORT'], timeout=2)"]
ENTRYPOINT ["prysm", "serve"]
