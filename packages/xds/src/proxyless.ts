/** What the agent writes into gRPC's bootstrap and the control plane refers to; names as Istio has them. */

/** Of the certificate provider whose files the agent keeps. */
export const grpcCertificateProvider = "default";

/** Begins the name of the listener a gRPC server asks for; the address it binds follows. */
export const grpcServerListenerPrefix = "xds.istio.io/grpc/lds/inbound/";

/** Node metadata `GENERATOR` of a client that takes only what gRPC's own xDS clients do. */
export const grpcGenerator = "grpc";
