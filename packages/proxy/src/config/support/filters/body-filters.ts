import type { MessageSupport } from "../message-support.ts";

/** What this proxy does with the messages of filters that hold or change bodies. */
export function bodyFiltersSupport(): Record<string, MessageSupport> {
  const buffer = "envoy.extensions.filters.http.buffer.v3.";
  const compressor = "envoy.extensions.filters.http.compressor.v3.";
  const decompressor = "envoy.extensions.filters.http.decompressor.v3.";
  const library = "envoy.extensions.compression.";
  return {
    [`${buffer}Buffer`]: { implemented: "max_request_bytes" },
    [`${buffer}BufferPerRoute`]: { implemented: "disabled buffer" },
    [`${compressor}Compressor`]: {
      implemented:
        "content_length content_type disable_on_etag_header remove_accept_encoding_header runtime_enabled compressor_library request_direction_config response_direction_config choose_first",
    },
    [`${compressor}Compressor.CommonDirectionConfig`]: {
      implemented: "enabled min_content_length content_type",
    },
    [`${compressor}Compressor.RequestDirectionConfig`]: { implemented: "common_config" },
    [`${compressor}Compressor.ResponseDirectionConfig`]: {
      implemented:
        "common_config disable_on_etag_header remove_accept_encoding_header uncompressible_response_codes",
      neutral: "status_header_enabled",
    },
    [`${compressor}CompressorPerRoute`]: { implemented: "disabled overrides" },
    [`${compressor}CompressorOverrides`]: { implemented: "response_direction_config compressor_library" },
    [`${compressor}ResponseDirectionOverrides`]: { implemented: "remove_accept_encoding_header" },
    [`${decompressor}Decompressor`]: {
      implemented: "decompressor_library request_direction_config response_direction_config",
    },
    [`${decompressor}Decompressor.CommonDirectionConfig`]: {
      implemented: "enabled ignore_no_transform_header",
    },
    [`${decompressor}Decompressor.RequestDirectionConfig`]: {
      implemented: "common_config advertise_accept_encoding",
    },
    [`${decompressor}Decompressor.ResponseDirectionConfig`]: { implemented: "common_config" },
    [`${library}gzip.compressor.v3.Gzip`]: {
      implemented: "memory_level compression_level compression_strategy window_bits chunk_size",
    },
    [`${library}gzip.decompressor.v3.Gzip`]: { implemented: "window_bits chunk_size max_inflate_ratio" },
    [`${library}brotli.compressor.v3.Brotli`]: {
      implemented:
        "quality encoder_mode window_bits input_block_bits chunk_size disable_literal_context_modeling",
    },
    [`${library}brotli.decompressor.v3.Brotli`]: {
      implemented: "disable_ring_buffer_reallocation chunk_size",
    },
    [`${library}zstd.compressor.v3.Zstd`]: {
      implemented: "compression_level enable_checksum strategy chunk_size",
    },
    [`${library}zstd.decompressor.v3.Zstd`]: { implemented: "chunk_size" },
    "envoy.config.core.v3.RuntimeFeatureFlag": { implemented: "default_value runtime_key" },
  };
}
