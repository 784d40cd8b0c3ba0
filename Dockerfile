# The digit-link server (and every other command) in one image: docker build -t digit-link .
# Run it with a volume at /data: the SQLite database and the generated secrets lie there.

FROM oven/bun:1.4.5-slim AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile
COPY . .
RUN bun scripts/build.ts

FROM oven/bun:1.4.5-slim
WORKDIR /app
COPY --from=build /build/dist/ ./
RUN mkdir -m 0700 /data && chown bun:bun /data
USER bun
VOLUME /data
ENV DB_PATH=/data/digit-link.db LOG_FORMAT=json
EXPOSE 8080
# Probes are answered under an IP address, whatever DOMAIN is.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["bun", "-e", "const port = process.env.PORT || 8080; process.exit((await fetch(`http://127.0.0.1:${port}/ready`)).ok ? 0 : 1)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["bun", "/app/digit-link.js"]
CMD ["server"]
