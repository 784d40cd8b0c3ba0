// Raw requests that must be refused, by the status they get. Placeholders: see raw-requests.ts.

const H = "Host: {HOST}\r\n";
const line = (first: string): string => `${first}\r\n${H}\r\n`;
const host = (value: string): string => `GET /m HTTP/1.1\r\nHost: ${value}\r\n\r\n`;
const field = (lines: string): string => `GET /m HTTP/1.1\r\n${H}${lines}\r\n\r\n`;
/** What would be a request of its own if the framing were read in another way. */
const inner = `GET /smuggled HTTP/1.1\r\n${H}\r\n`;
const framed = (lines: string, body = `0\r\n\r\n${inner}`): string => `POST /m HTTP/1.1\r\n${H}${lines}\r\n\r\n${body}`;
const chunks = (body: string): string => `POST /m HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${body}`;

/** 400: refused by the head; the local service sees nothing. */
export const badHeads: Record<string, string> = {
  "empty line first": `\r\n${line("GET /m HTTP/1.1")}`,
  "space first": ` ${line("GET /m HTTP/1.1")}`,
  "lower-case method": line("get /m HTTP/1.1"),
  "method with a control": line("G\x01T /m HTTP/1.1"),
  "method with a bracket": line("GET[ /m HTTP/1.1"),
  "tab behind the method": line("GET\t/m HTTP/1.1"),
  "two spaces behind the method": line("GET  /m HTTP/1.1"),
  "two spaces behind the target": line("GET /m  HTTP/1.1"),
  "space in the target": line("GET /m /smuggled HTTP/1.1"),
  "absolute-form": line("GET http://{HOST}/m HTTP/1.1"),
  "absolute-form of another host": line("GET http://evil.example/ HTTP/1.1"),
  "absolute-form with https": line("GET https://{HOST}/ HTTP/1.1"),
  "asterisk-form": line("OPTIONS * HTTP/1.1"),
  "authority-form": line("GET {HOST}:80 HTTP/1.1"),
  "relative target": line("GET m HTTP/1.1"),
  "target with @": line("GET @evil.example/ HTTP/1.1"),
  "target with a fragment": line("GET /m#x HTTP/1.1"),
  "target with a backslash": line("GET /m\\..\\x HTTP/1.1"),
  "target with NUL": line("GET /m\0 HTTP/1.1"),
  "target with DEL": line("GET /m\x7f HTTP/1.1"),
  "target with 8-bit bytes": line("GET /caf\xc3\xa9 HTTP/1.1"),
  "target with LF": line("GET /m\nX-Evil: 1 HTTP/1.1"),
  "target with CR": line("GET /m\rX-Evil: 1 HTTP/1.1"),
  "no version": line("GET /m"),
  "HTTP/0.9": line("GET /m HTTP/0.9"),
  "HTTP/1.2": line("GET /m HTTP/1.2"),
  "HTTP/2.0": line("GET /m HTTP/2.0"),
  "HTTP/1.1 and a space": line("GET /m HTTP/1.1 "),
  "lower-case http": line("GET /m http/1.1"),
  "request line with bare LF": `GET /m HTTP/1.1\n${H}\r\n`,
  "HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "TLS hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
  "no Host": "GET /m HTTP/1.1\r\nX-A: b\r\n\r\n",
  "no Host in HTTP/1.0": "GET /m HTTP/1.0\r\n\r\n",
  "two Hosts": field("Host: evil.example"),
  "two equal Hosts": field("hOST: {HOST}"),
  "Host folded": "GET /m HTTP/1.1\r\nHost:\r\n {HOST}\r\n\r\n",
  "Host empty": host(""),
  "Host list": host("{HOST}, evil.example"),
  "Host with a space": host("{HOST} evil.example"),
  "Host with user information": host("evil@{HOST}"),
  "Host with a path": host("{HOST}/x"),
  "Host with a query": host("{HOST}?x"),
  "Host with a fragment": host("{HOST}#x"),
  "Host with a backslash": host("{HOST}\\x"),
  "Host with a scheme": host("http://{HOST}"),
  "Host with two ports": host("{HOST}:80:80"),
  "Host with an empty port": host("{HOST}:"),
  "Host with a wrong port": host("{HOST}:99999"),
  "Host with a port of letters": host("{HOST}:http"),
  "Host with a signed port": host("{HOST}:+80"),
  "Host with two dots behind": host("{HOST}.."),
  "Host with a dot before": host(".{HOST}"),
  "Host with an escape": host("{HOST}%00"),
  "Host with 8-bit bytes": host("d\xe9mo.{DOMAIN}"),
  "Host with an edge hyphen": host("-demo.{DOMAIN}"),
  "Host with an open bracket": host("[::1"),
  "Host with a label of 64": host(`${"a".repeat(64)}.{DOMAIN}`),
  "obs-fold": field("X-A: b\r\n c"),
  "obs-fold with a tab": field("X-A: b\r\n\tc"),
  "folded first field": `GET /m HTTP/1.1\r\n X-A: b\r\n${H}\r\n`,
  "bare LF between fields": field("X-A: b\nX-Evil: c"),
  "bare CR between fields": field("X-A: b\rX-Evil: c"),
  "head ends with LF LF": `GET /m HTTP/1.1\r\n${H}X-A: b\n\n`,
  "head ends with CR CR": `GET /m HTTP/1.1\r\n${H}\r\r`,
  "NUL in a value": field("X-A: b\0c"),
  "DEL in a value": field("X-A: \x7f"),
  "control in a value": field("X-A: \x1b[31m"),
  "space before the colon": field("X-A : b"),
  "tab before the colon": field("X-A\t: b"),
  "no colon": field("X-A"),
  "empty name": field(": b"),
  "name with a space": field("X A: b"),
  "name with 8-bit bytes": field("X-\xe9: b"),
  "name with NUL": field("X-\0: b"),
  "Connection naming 33 fields": field(`Connection: ${Array.from({ length: 33 }, (_, i) => `x${i}`).join(",")}`),
  "CL and TE": framed("Content-Length: 5\r\nTransfer-Encoding: chunked"),
  "TE and CL": framed("Transfer-Encoding: chunked\r\nContent-Length: 5"),
  "CL 0 and TE": framed("Content-Length: 0\r\nTransfer-Encoding: chunked"),
  "CL and TE in other case": framed("content-length: 5\r\nTRANSFER-ENCODING: chunked"),
  "differing CL": framed("Content-Length: 5\r\nContent-Length: 0", `hello${inner}`),
  "equal CL": framed("Content-Length: 5\r\nContent-Length: 5", "hello"),
  "CL list": framed("Content-Length: 5, 5", "hello"),
  "CL with a plus": framed("Content-Length: +5", "hello"),
  "CL with a minus": framed("Content-Length: -5", "hello"),
  "CL hexadecimal": framed("Content-Length: 0x5", "hello"),
  "CL of letters": framed("Content-Length: five", "hello"),
  "CL with an exponent": framed("Content-Length: 5e0", "hello"),
  "CL empty": framed("Content-Length:", inner),
  "CL quoted": framed('Content-Length: "5"', "hello"),
  "CL with inner space": framed("Content-Length: 1 0", "hello"),
  "CL of 16 digits": framed("Content-Length: 1000000000000000", inner),
  "CL beyond 64 bits": framed("Content-Length: 18446744073709551616", inner),
  "CL with _": framed("Content_Length: 5", "hello"),
  "CL space before the colon": framed("Content-Length : 5", "hello"),
  "CL with a tab behind": framed("Content-Length: 5\t", "hello"),
  "TE gzip, chunked": framed("Transfer-Encoding: gzip, chunked"),
  "TE chunked, identity": framed("Transfer-Encoding: chunked, identity"),
  "TE chunked twice": framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
  "TE chunked and identity": framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
  "TE identity": framed("Transfer-Encoding: identity"),
  "TE in another case": framed("Transfer-Encoding: Chunked"),
  "TE empty": framed("Transfer-Encoding:"),
  "TE quoted": framed('Transfer-Encoding: "chunked"'),
  "TE with a parameter": framed("Transfer-Encoding: chunked;x=y"),
  "TE xchunked": framed("Transfer-Encoding: xchunked"),
  "TE with a vertical tab": framed("Transfer-Encoding: \x0bchunked"),
  "TE with 8-bit space": framed("Transfer-Encoding: \xa0chunked"),
  "TE space before the colon": framed("Transfer-Encoding : chunked"),
  "TE with _": framed("Transfer_Encoding: chunked"),
  "TE folded": framed("Transfer-Encoding:\r\n chunked"),
  "TE hidden behind a bare LF": framed("X-A: b\nTransfer-Encoding: chunked"),
  "TE hidden behind a bare CR": framed("X-A: b\rTransfer-Encoding: chunked"),
  "TE on HTTP/1.0": `POST /m HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
};

/** 400 in the body: the local service may see the request begin, never complete. */
export const badBodies: Record<string, string> = {
  "chunk size 0x": chunks("0x5\r\nhello\r\n0\r\n\r\n"),
  "chunk size with a plus": chunks("+5\r\nhello\r\n0\r\n\r\n"),
  "chunk size with a minus": chunks("-1\r\nhello\r\n0\r\n\r\n"),
  "chunk size with a space before": chunks(" 5\r\nhello\r\n0\r\n\r\n"),
  "chunk size with a space behind": chunks("5 \r\nhello\r\n0\r\n\r\n"),
  "chunk size not hexadecimal": chunks("xyz\r\nhello\r\n0\r\n\r\n"),
  "chunk size empty": chunks("\r\nhello\r\n0\r\n\r\n"),
  "chunk size beyond 64 bits": chunks(`10000000000000000\r\n${inner}`),
  "chunk size ends with LF": chunks("5\nhello\r\n0\r\n\r\n"),
  "chunk size ends with CR": chunks("5\rhello\r\n0\r\n\r\n"),
  "chunk too long": chunks(`3\r\nhello\r\n0\r\n\r\n${inner}`),
  "chunk too short": chunks(`7\r\nhello\r\n0\r\n\r\n${inner}`),
  "chunk ends with LF": chunks("5\r\nhello\n0\r\n\r\n"),
  "chunk without an end": chunks("5\r\nhello0\r\n\r\n"),
  "chunk extension with LF": chunks(`5;a\nhello\r\n0\r\n\r\n${inner}`),
  "chunk extension with CR": chunks("5;a\rb\r\nhello\r\n0\r\n\r\n"),
  "chunk extension with NUL": chunks("5;\0\r\nhello\r\n0\r\n\r\n"),
  "chunk extension with a quoted pair": chunks(`5;a="\\"\r\nhello\r\n0\r\n\r\n${inner}`),
  "chunk extension of 300 bytes": chunks(`5;${"a".repeat(300)}\r\nhello\r\n0\r\n\r\n`),
  "last chunk with LF": chunks(`0\n\n${inner}`),
  "trailer without a colon": chunks("0\r\nevil\r\n\r\n"),
  "trailer folded": chunks("0\r\nX-A: b\r\n c\r\n\r\n"),
  "trailer with bare LF": chunks("0\r\nX-A: b\nX-Evil: c\r\n\r\n"),
  "trailer Content-Length": chunks(`0\r\nContent-Length: 5\r\n\r\n${inner}`),
  "trailer Transfer-Encoding": chunks("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
  "trailers of 20 KiB": chunks(`0\r\n${`X-A: ${"a".repeat(1000)}\r\n`.repeat(20)}\r\n`),
};

/** 405. */
export const badMethods: Record<string, string> = {
  TRACE: line("TRACE /m HTTP/1.1"),
  "TRACE with HTTP/1.0": line("TRACE /m HTTP/1.0"),
  "TRACE of everything": line("TRACE * HTTP/1.1"),
  "CONNECT to a port": line("CONNECT m:443 HTTP/1.1"),
  "CONNECT with a path": line("CONNECT /m HTTP/1.1"),
};

/** 408: nothing is refused, but the head never ends. */
export const endlessHeads: Record<string, string> = {
  "half a request line": "GET /m HT",
  "half a field": `GET /m HTTP/1.1\r\n${H}X-A: b`,
  "no empty line": `GET /m HTTP/1.1\r\n${H}`,
  "one CR": "GET /m HTTP/1.1\r\nHost: {HOST}\r",
};

/** 413, with the limits of raw-requests.ts. */
export const largeBodies: Record<string, string> = {
  "CL above the limit": framed("Content-Length: 1048577", ""),
  "CL far above the limit": framed("Content-Length: 999999999999999", ""),
};

/** 421: hosts that are not served here. */
export const foreignHosts: Record<string, string> = {
  "another domain": host("evil.example"),
  "our domain as a prefix": host("{HOST}.evil.example"),
  "our domain as a suffix of a label": host("demo.evil{DOMAIN}"),
  "two labels below the domain": host("a.{HOST}"),
  "an underscore in the name": host("de_mo.{DOMAIN}"),
};

/** 431. */
export const largeHeads: Record<string, string> = {
  "201 fields": field("X-A: b\r\n".repeat(200).slice(0, -2)),
  "value of 64 KiB": field(`X-A: ${"a".repeat(65_536)}`),
  "target of 64 KiB": line(`GET /${"a".repeat(65_536)} HTTP/1.1`),
  "name of 64 KiB": field(`${"a".repeat(65_536)}: b`),
};

/** 404: no tunnel has this name. */
export const unknownNames: Record<string, string> = {
  "unknown name": host("nobody-home.{DOMAIN}"),
  "unknown name in upper case": host("NOBODY-HOME.{DOMAIN}"),
  "unknown name with a port": host("nobody-home.{DOMAIN}:8080"),
  "unknown name, punycode": host("xn--dmo-bma.{DOMAIN}"),
};
