# PostgreSQL with Q3C. Debian's package is older than 2.0.5, whose fixes hscdb needs, so the release is compiled.
ARG PG_MAJOR=17
FROM postgres:${PG_MAJOR}-bookworm AS build
ARG PG_MAJOR
ARG Q3C_VERSION=2.0.5
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl gcc libc6-dev make "postgresql-server-dev-${PG_MAJOR}"
WORKDIR /build
RUN curl -fsSL "https://github.com/segasai/q3c/archive/refs/tags/v${Q3C_VERSION}.tar.gz" | tar -xz --strip-components=1 \
 && make with_llvm=no \
 && make with_llvm=no install DESTDIR=/install

FROM postgres:${PG_MAJOR}-bookworm
COPY --from=build /install/ /
# Sized for 4 GB; give the real size of your machine in compose.yaml (command:).
CMD ["postgres", "-c", "jit=off", "-c", "random_page_cost=1.1", "-c", "shared_buffers=512MB", "-c", "work_mem=32MB", \
     "-c", "maintenance_work_mem=256MB", "-c", "max_wal_size=4GB"]
