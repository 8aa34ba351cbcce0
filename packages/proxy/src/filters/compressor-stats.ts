import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { CompressorStats, ResponseCompressorStats } from "./compressor.ts";
import type { DecompressorStats } from "./decompressor.ts";

/** `prefix` names the library, its encoding and the direction, each followed by a dot. */
export function compressorStats(stats: EnvoyStats, statPrefix: string, prefix: string): CompressorStats {
  const counter = (name: string) =>
    stats.counter(`http.{envoy_http_conn_manager_prefix}.${prefix}${name}`, statPrefix);
  return {
    compressed: counter("compressed"),
    notCompressed: counter("not_compressed"),
    uncompressedBytes: counter("total_uncompressed_bytes"),
    compressedBytes: counter("total_compressed_bytes"),
    tooSmall: counter("content_length_too_small"),
  };
}

/** What is counted of a client's wishes has no direction in its name. */
export function responseCompressorStats(
  stats: EnvoyStats,
  statPrefix: string,
  base: string,
  directionPrefix: string,
): ResponseCompressorStats {
  const counter = (name: string) =>
    stats.counter(`http.{envoy_http_conn_manager_prefix}.${base}${name}`, statPrefix);
  return {
    ...compressorStats(stats, statPrefix, `${base}${directionPrefix}`),
    noAcceptHeader: counter("no_accept_header"),
    headerIdentity: counter("header_identity"),
    headerCompressorUsed: counter("header_compressor_used"),
    headerCompressorOvershadowed: counter("header_compressor_overshadowed"),
    headerWildcard: counter("header_wildcard"),
    headerNotValid: counter("header_not_valid"),
    notCompressedEtag: counter("not_compressed_etag"),
  };
}

export function decompressorStats(stats: EnvoyStats, statPrefix: string, prefix: string): DecompressorStats {
  const counter = (name: string) =>
    stats.counter(`http.{envoy_http_conn_manager_prefix}.${prefix}${name}`, statPrefix);
  return {
    decompressed: counter("decompressed"),
    notDecompressed: counter("not_decompressed"),
    compressedBytes: counter("total_compressed_bytes"),
    uncompressedBytes: counter("total_uncompressed_bytes"),
  };
}
