// The nginx configuration of the benchmark: private paths, no logs, pooled upstream connections, nothing buffered to disk.

export interface ProxiedPort {
  listenPort: number;
  upstreamAddress: string;
  upstreamPort: number;
}

/** Text of an nginx.conf that proxies each port to its upstream, passing `Host` on and upgrading WebSockets. */
export function nginxConfig(directory: string, ports: readonly ProxiedPort[]): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes auto;
worker_rlimit_nofile 16384;
pid ${directory}/nginx.pid;
error_log ${directory}/nginx-error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${directory}/nginx-${name};`).join("\n  ")}
  keepalive_requests 1000000;
  client_max_body_size 0;
  map $http_upgrade $upstream_connection { default upgrade; "" ""; }
  ${ports.map(serverBlock).join("\n")}
}
`;
}

function serverBlock(port: ProxiedPort): string {
  const name = `upstream_${port.listenPort}`;
  return `
  upstream ${name} {
    server ${port.upstreamAddress}:${port.upstreamPort};
    keepalive 256;
    keepalive_requests 1000000;
  }
  server {
    listen 127.0.0.1:${port.listenPort} backlog=4096;
    location / {
      proxy_pass http://${name};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $upstream_connection;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }`;
}
