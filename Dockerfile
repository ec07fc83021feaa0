# syntax=docker/dockerfile:1
#
#   docker build -t roomcast:0.1.0 --build-arg ROOMCAST_COMMIT="$(git rev-parse --short=12 HEAD)" .
#   docker run -p 127.0.0.1:3000:3000 -v roomcast-data:/data roomcast:0.1.0
#
# `scripts/image/try` runs the same steps without Docker.

# The page at /, which the program carries.
FROM node:22.20.0-bookworm-slim AS page
WORKDIR /src

COPY package.json package-lock.json .npmrc ./
COPY sdk/typescript/package.json sdk/typescript/
COPY web-demo/package.json web-demo/
RUN npm ci --no-progress

COPY sdk/typescript/tsconfig.json sdk/typescript/tsconfig.build.json sdk/typescript/
COPY sdk/typescript/src/ sdk/typescript/src/
COPY web-demo/index.html web-demo/tsconfig.json web-demo/vite.config.ts web-demo/
COPY web-demo/public/ web-demo/public/
COPY web-demo/src/ web-demo/src/
RUN npm run build

FROM rust:1.91.1-slim-bookworm AS build
WORKDIR /src

# The dependencies are a layer of their own: most changes leave the manifests alone.
COPY Cargo.toml Cargo.lock ./
COPY crates/client/Cargo.toml crates/client/
COPY scripts/image/ scripts/image/
RUN scripts/image/dependencies

COPY build.rs ./
COPY migrations/ migrations/
COPY src/ src/
COPY crates/ crates/
COPY --from=page /src/web-demo/dist/ web-demo/dist/
# What /readyz and reports of the load tester name: the context has no history.
ARG ROOMCAST_COMMIT
RUN scripts/image/build

# The same Debian as the builder's, so that the program finds the C library it was linked with.
FROM debian:12.12-slim

LABEL org.opencontainers.image.title="Roomcast" \
      org.opencontainers.image.description="A self-hosted, multi-tenant, real-time notification hub" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.documentation="docs/operations.md"

# The authorities that sslmode=verify-full of DATABASE_URL goes by.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/image/roomcast /usr/local/bin/
COPY --from=build --chown=65532:65532 /src/image/data /data

# A number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
WORKDIR /data
VOLUME /data

# In a container only what is published reaches it.
ENV HOST=0.0.0.0 PORT=3000 ROOMCAST_DATA_DIR=/data
EXPOSE 3000
# Hashing a password takes 19 MiB for a moment. Without this, glibc keeps hundreds of MiB of that for later.
ENV MALLOC_MMAP_THRESHOLD_=1048576

# SIGTERM drains. Give it DRAIN_SECONDS and ten more (--stop-timeout): docker stop waits for ten in all.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["roomcast", "healthcheck"]
ENTRYPOINT ["roomcast"]
CMD ["serve"]
