# One image for every role: `run gateway`, `run relay`, `run worker`, `run all`, `migrate`, `check`.
# Pinned by version. An upgrade of the base is a change of this line, built and tested like any other.
ARG PYTHON=3.13.9-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY migrations ./migrations
COPY service ./service
RUN python -m pip wheel --no-deps --wheel-dir /wheels . \
    && python -m venv /opt/orderhook \
    && /opt/orderhook/bin/python -m pip install --only-binary :all: --constraint constraints.txt \
       "$(ls /wheels/*.whl)[otel]" \
    && /opt/orderhook/bin/python -m pip uninstall --yes pip

FROM python:${PYTHON}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Orderhook" \
      org.opencontainers.image.description="Webhook gateway: signed webhooks in, the true order status in your CRM." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
RUN groupadd --gid 10001 orderhook \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/orderhook --no-create-home \
       --no-log-init --shell /usr/sbin/nologin orderhook \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/orderhook
COPY --from=build /opt/orderhook /opt/orderhook
# Nothing is written but below /var/lib/orderhook and /tmp: the root file system may be read-only.
ENV PATH=/opt/orderhook/bin:$PATH \
    HOME=/var/lib/orderhook \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORDERHOOK_CONFIG=/etc/orderhook/orderhook.toml \
    ORDERHOOK_READY_FILE=/tmp/orderhook-ready.json
WORKDIR /var/lib/orderhook
EXPOSE 8080 8081 8082 8083
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "service.cli.health"]
ENTRYPOINT ["orderhook"]
CMD ["run", "all"]
