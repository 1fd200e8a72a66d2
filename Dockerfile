# Builds and runs boardcast. The cache mounts need BuildKit, which is the default from Docker 23 on.

FROM rust:1.95-slim-bookworm AS build
# The allocator, jemalloc, is built with it.
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# .dockerignore lets through only what the build reads.
COPY . .
# The target directory is a cache and no part of the image, so the program is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked \
    && install target/release/boardcast /usr/local/bin/boardcast

# The browser build of socket.io-client that pages load from /socket.io/socket.io.js, as its authors published it.
FROM node:22-bookworm-slim AS client
WORKDIR /client
RUN npm pack socket.io-client@4.8.4 \
    && echo "ef08ca02f55760e26c6e65209166e784f0f86c5a64aab511d3ef973a3a46166a83aaca95d4223ddd54eb69e1312f1a63c44aab5a016849166ed628632d67e400  socket.io-client-4.8.4.tgz" \
        | sha512sum --check --strict - \
    && tar --extract --gzip --file socket.io-client-4.8.4.tgz package/dist

FROM debian:bookworm-slim
RUN groupadd --gid 10001 boardcast \
    && useradd --uid 10001 --gid boardcast --home-dir /data --no-create-home --shell /usr/sbin/nologin boardcast \
    && install --directory --owner=boardcast --group=boardcast /data
COPY --from=build /usr/local/bin/boardcast /usr/local/bin/boardcast
COPY --from=client /client/package/dist /usr/local/share/socket.io-client
ENV SOCKETIO_CLIENT_DIR=/usr/local/share/socket.io-client
# Whom to trust for rediss://. For an authority of your own, mount its certificate and name it in SSL_CERT_FILE.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt

# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
# The default database, boardcast.db in the working directory, lies in the volume.
WORKDIR /data
VOLUME /data

EXPOSE 8002
STOPSIGNAL SIGTERM
# Asks the address in HOST and PORT: set these as variables, not as flags.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["boardcast", "healthcheck"]
ENTRYPOINT ["boardcast"]
