# docker build -t heapd .
# docker run --rm -p 127.0.0.1:7379:7379 -p 127.0.0.1:7380:7380 heapd
# For other machines too, with a password: docker run -p 7379:7379 heapd --requirepass SECRET
# The package lists stand in conf/setup.sh alone; ./run and ./test read the same.
FROM debian:12-slim AS build
WORKDIR /src
COPY conf/setup.sh conf/
RUN . conf/setup.sh && setup_packages $packages_build ninja-build
COPY . .
RUN . conf/setup.sh \
    && setup_build /src /src/build -DCMAKE_BUILD_TYPE=Release -DHEAPD_TESTS=OFF \
    && strip build/bin/heapd build/bin/heapctl

FROM debian:12-slim
COPY conf/setup.sh /tmp/
RUN . /tmp/setup.sh && setup_packages $packages_runtime \
    && rm -rf /tmp/setup.sh /var/lib/apt/lists/* \
    && useradd --system --user-group --no-create-home --home-dir /var/lib/heapd heapd \
    && install -d -o heapd -g heapd /var/lib/heapd
COPY --from=build /src/build/bin/heapd /src/build/bin/heapctl /usr/local/bin/
COPY --from=build /src/conf/heapd.conf /etc/heapd/heapd.conf
USER heapd
WORKDIR /var/lib/heapd
EXPOSE 7379 7380
# That a password is wanted is an answer too.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD heapctl -t 2 -p 7379 --raw ping | grep -Eq '^(PONG|NOAUTH )'
# Inside the container loopback would reach nobody, and every client comes from another address; what
# is published is docker's -p to say. Prometheus in another container needs --http-hosts and its name.
ENTRYPOINT ["heapd", "/etc/heapd/heapd.conf", "--bind", "0.0.0.0", "--http-bind", "0.0.0.0", \
            "--protected-mode", "no"]
