import { GrpcWebSchema } from "@weft/xds/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb";
import { createGrpcWebFilter } from "../../filters/grpc-web.ts";
import { httpFilterType } from "./http-filter-type.ts";

export const grpcWebFilter = httpFilterType(GrpcWebSchema, (_message, { name }) => createGrpcWebFilter(name));
