# PostgreSQL with Q3C. Debian's package is older than 2.0.5, whose fixes hscdb needs, so the release is compiled.
ARG PG_MAJOR=17
FROM postgres:${PG_MAJOR}-bookworm AS build
ARG PG_MAJOR
ARG Q3C_VERSION=2.0.5
# Of the files of the release, each with its name: the archive around them may be packed anew at any time. Empty: any.
ARG Q3C_SHA256=906ecd6f1cae33d5537201de70710a05ad597c068381727fe969572c3406c936
SHELL ["/bin/bash", "-eo", "pipefail", "-c"]
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl gcc libc6-dev make "postgresql-server-dev-${PG_MAJOR}"
WORKDIR /build
RUN curl -fsSL "https://github.com/segasai/q3c/archive/refs/tags/v${Q3C_VERSION}.tar.gz" | tar -xz --strip-components=1 \
 && found=$(find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1) \
 && if [ -n "${Q3C_SHA256}" ] && [ "$found" != "${Q3C_SHA256}" ]; then echo "Q3C: files of $found, not of ${Q3C_SHA256}"; exit 1; fi \
 && make with_llvm=no \
 && make with_llvm=no install DESTDIR=/install

FROM postgres:${PG_MAJOR}-bookworm
COPY --from=build /install/ /
# Sized for 4 GB; give the real size of your machine in compose.yaml (command:).
CMD ["postgres", "-c", "jit=off", "-c", "random_page_cost=1.1", "-c", "shared_buffers=512MB", "-c", "work_mem=32MB", \
     "-c", "maintenance_work_mem=256MB", "-c", "max_wal_size=4GB"]
