import type { Transform } from "node:stream";
import zlib from "node:zlib";
import type { RuntimeFeatureFlag } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { TypedExtensionConfig } from "@weft/xds/gen/envoy/config/core/v3/extension_pb";
import {
  type Brotli,
  Brotli_EncoderMode as BrotliMode,
} from "@weft/xds/gen/envoy/extensions/compression/brotli/compressor/v3/brotli_pb";
import type { Brotli as BrotliDecompressor } from "@weft/xds/gen/envoy/extensions/compression/brotli/decompressor/v3/brotli_pb";
import {
  type Gzip,
  Gzip_CompressionStrategy as GzipStrategy,
} from "@weft/xds/gen/envoy/extensions/compression/gzip/compressor/v3/gzip_pb";
import type { Gzip as GzipDecompressor } from "@weft/xds/gen/envoy/extensions/compression/gzip/decompressor/v3/gzip_pb";
import type { Zstd } from "@weft/xds/gen/envoy/extensions/compression/zstd/compressor/v3/zstd_pb";
import type { Zstd as ZstdDecompressor } from "@weft/xds/gen/envoy/extensions/compression/zstd/decompressor/v3/zstd_pb";
import type { CompressorLibrary } from "../filters/compressor.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

const { constants } = zlib;
const defaultChunkBytes = 4096;
const defaultInflateRatio = 100;

/** A library, and the configured name that its statistics carry. */
export interface NamedLibrary extends CompressorLibrary {
  readonly name: string;
}

export interface DecompressorLibrary extends NamedLibrary {
  readonly maxRatio: number;
}

/** The library that compresses. Every stream it makes gives out what it was given without waiting for more. */
export function decodeCompressorLibrary(
  extension: TypedExtensionConfig | undefined,
  path: string,
  issues: Issues,
): NamedLibrary | undefined {
  const place = at(path, "typed_config");
  const message = extension?.typedConfig && unpackAny(extension.typedConfig);
  const library = (encoding: string, create: () => Transform): NamedLibrary => ({
    name: extension!.name,
    encoding,
    create,
  });
  switch (message?.$typeName) {
    case "envoy.extensions.compression.gzip.compressor.v3.Gzip": {
      const options = gzipOptions(message as Gzip, place, issues);
      return library("gzip", () => zlib.createGzip(options));
    }
    case "envoy.extensions.compression.brotli.compressor.v3.Brotli": {
      const options = brotliOptions(message as Brotli, place, issues);
      return library("br", () => zlib.createBrotliCompress(options));
    }
    case "envoy.extensions.compression.zstd.compressor.v3.Zstd": {
      const options = zstdOptions(message as Zstd, place, issues);
      return library("zstd", () => zlib.createZstdCompress(options));
    }
    default:
      issues.add(path, "needs a compressor", "gzip, brotli or zstd");
      return undefined;
  }
}

export function decodeDecompressorLibrary(
  extension: TypedExtensionConfig | undefined,
  path: string,
  issues: Issues,
): DecompressorLibrary | undefined {
  const place = at(path, "typed_config");
  const message = extension?.typedConfig && unpackAny(extension.typedConfig);
  const library = (
    encoding: string,
    create: () => Transform,
    maxRatio = defaultInflateRatio,
  ): DecompressorLibrary => ({ name: extension!.name, encoding, create, maxRatio });
  switch (message?.$typeName) {
    case "envoy.extensions.compression.gzip.decompressor.v3.Gzip": {
      const { windowBits, chunkSize, maxInflateRatio } = message as GzipDecompressor;
      const options = {
        windowBits: inRange(windowBits, 12, 9, 15, at(place, "window_bits"), issues),
        chunkSize: chunkBytes(chunkSize, place, issues),
      };
      const ratio = inRange(
        maxInflateRatio,
        defaultInflateRatio,
        1,
        1032,
        at(place, "max_inflate_ratio"),
        issues,
      );
      return library("gzip", () => zlib.createGunzip(options), ratio);
    }
    case "envoy.extensions.compression.brotli.decompressor.v3.Brotli": {
      const { chunkSize, disableRingBufferReallocation } = message as BrotliDecompressor;
      const options = {
        chunkSize: chunkBytes(chunkSize, place, issues),
        params: {
          [constants.BROTLI_DECODER_PARAM_DISABLE_RING_BUFFER_REALLOCATION]: disableRingBufferReallocation,
        },
      };
      return library("br", () => zlib.createBrotliDecompress(options));
    }
    case "envoy.extensions.compression.zstd.decompressor.v3.Zstd": {
      const options = { chunkSize: chunkBytes((message as ZstdDecompressor).chunkSize, place, issues) };
      return library("zstd", () => zlib.createZstdDecompress(options));
    }
    default:
      issues.add(path, "needs a decompressor", "gzip, brotli or zstd");
      return undefined;
  }
}

const gzipStrategies: Readonly<Record<GzipStrategy, number>> = {
  [GzipStrategy.DEFAULT_STRATEGY]: constants.Z_DEFAULT_STRATEGY,
  [GzipStrategy.FILTERED]: constants.Z_FILTERED,
  [GzipStrategy.HUFFMAN_ONLY]: constants.Z_HUFFMAN_ONLY,
  [GzipStrategy.RLE]: constants.Z_RLE,
  [GzipStrategy.FIXED]: constants.Z_FIXED,
};

function gzipOptions(gzip: Gzip, path: string, issues: Issues): zlib.ZlibOptions {
  return {
    memLevel: inRange(gzip.memoryLevel, 5, 1, 9, at(path, "memory_level"), issues),
    level: gzip.compressionLevel === 0 ? constants.Z_DEFAULT_COMPRESSION : gzip.compressionLevel,
    strategy: gzipStrategies[gzip.compressionStrategy],
    windowBits: inRange(gzip.windowBits, 12, 9, 15, at(path, "window_bits"), issues),
    chunkSize: chunkBytes(gzip.chunkSize, path, issues),
    flush: constants.Z_SYNC_FLUSH,
  };
}

const brotliModes: Readonly<Record<BrotliMode, number>> = {
  [BrotliMode.DEFAULT]: constants.BROTLI_DEFAULT_MODE,
  [BrotliMode.GENERIC]: constants.BROTLI_MODE_GENERIC,
  [BrotliMode.TEXT]: constants.BROTLI_MODE_TEXT,
  [BrotliMode.FONT]: constants.BROTLI_MODE_FONT,
};

function brotliOptions(brotli: Brotli, path: string, issues: Issues): zlib.BrotliOptions {
  return {
    chunkSize: chunkBytes(brotli.chunkSize, path, issues),
    flush: constants.BROTLI_OPERATION_FLUSH,
    params: {
      [constants.BROTLI_PARAM_MODE]: brotliModes[brotli.encoderMode],
      [constants.BROTLI_PARAM_QUALITY]: inRange(brotli.quality, 3, 0, 11, at(path, "quality"), issues),
      [constants.BROTLI_PARAM_LGWIN]: inRange(brotli.windowBits, 18, 10, 24, at(path, "window_bits"), issues),
      [constants.BROTLI_PARAM_LGBLOCK]: inRange(
        brotli.inputBlockBits,
        24,
        16,
        24,
        at(path, "input_block_bits"),
        issues,
      ),
      [constants.BROTLI_PARAM_DISABLE_LITERAL_CONTEXT_MODELING]: brotli.disableLiteralContextModeling,
    },
  };
}

function zstdOptions(zstd: Zstd, path: string, issues: Issues): zlib.ZstdOptions {
  return {
    chunkSize: chunkBytes(zstd.chunkSize, path, issues),
    flush: constants.ZSTD_e_flush,
    params: {
      [constants.ZSTD_c_compressionLevel]: inRange(
        zstd.compressionLevel,
        3,
        1,
        22,
        at(path, "compression_level"),
        issues,
      ),
      [constants.ZSTD_c_checksumFlag]: zstd.enableChecksum ? 1 : 0,
      ...(zstd.strategy === 0 ? {} : { [constants.ZSTD_c_strategy]: zstd.strategy }),
    },
  };
}

function chunkBytes(size: number | undefined, path: string, issues: Issues): number {
  return inRange(size, defaultChunkBytes, 4096, 65_536, at(path, "chunk_size"), issues);
}

function inRange(
  value: number | undefined,
  fallback: number,
  low: number,
  high: number,
  path: string,
  issues: Issues,
): number {
  if (value !== undefined && (value < low || value > high)) {
    issues.add(path, `${value} is out of range`, `${low} to ${high}`);
    return fallback;
  }
  return value ?? fallback;
}

/** A static runtime value replaces the default; on where nothing is said. */
export function decodeFeatureFlag(
  flag: RuntimeFeatureFlag | undefined,
  runtime: ReadonlyMap<string, unknown>,
): boolean {
  const value = flag && runtime.get(flag.runtimeKey);
  return typeof value === "boolean" ? value : (flag?.defaultValue ?? true);
}
