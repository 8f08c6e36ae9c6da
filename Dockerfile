# syntax=docker/dockerfile:1

# Builds against the system's libpq, which speaks TLS. The version of Rust is that of rust-toolchain.toml, which is left
# out of the build so that rustup fetches no second toolchain.
FROM docker.io/library/rust:1.95-bookworm AS builder
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libpq-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY crates crates
COPY migrations migrations
COPY openapi openapi
COPY tests tests
RUN cargo build --release --locked --package rapport-server --no-default-features

FROM docker.io/library/debian:bookworm-slim
# curl asks for the health below.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates curl libpq5 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/rapport rapport
COPY --from=builder /build/target/release/rapport /usr/local/bin/rapport
USER rapport
WORKDIR /var/lib/rapport
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["rapport"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--log-format", "json"]
