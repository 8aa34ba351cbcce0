import { request } from "node:http";
import type { Endpoint } from "./bootstrap.ts";

const timeoutMs = 2_000;
/** Far above a sidecar's statistics with thousands of series. */
const maxBodyBytes = 32 * 1024 * 1024;

export interface AdminAnswer {
  readonly status: number;
  /** Of the body, as the field says. */
  readonly contentType: string;
  readonly body: string;
  readonly bytes: Buffer;
}

/** Asks the sidecar's admin interface; rejects when it does not answer in time. */
export function askAdmin(
  admin: Endpoint,
  method: "GET" | "POST",
  path: string,
  accept = "*/*",
): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: admin.address,
        port: admin.port,
        method,
        path,
        headers: { accept },
        agent: false,
        timeout: timeoutMs,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxBodyBytes)
            asked.destroy(new Error(`${path} answered more than ${maxBodyBytes} bytes`));
          else chunks.push(chunk);
        });
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          const { statusCode: status = 0, headers } = response;
          resolve({
            status,
            contentType: headers["content-type"] ?? "",
            bytes,
            get body() {
              return bytes.toString("utf8");
            },
          });
        });
      },
    );
    asked.on("timeout", () => asked.destroy(new Error(`no answer to ${path} in ${timeoutMs} ms`)));
    asked.on("error", reject);
    asked.end();
  });
}
