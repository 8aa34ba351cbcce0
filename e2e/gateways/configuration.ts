/** Every way of ending TLS at a gateway, and of not ending it. */
export const tlsGateway = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: tls }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 8443, name: one, protocol: HTTPS }
      hosts: [one.example.com]
      tls: { mode: SIMPLE, credentialName: one }
    - port: { number: 8443, name: two, protocol: HTTPS }
      hosts: [two.example.com]
      tls: { mode: MUTUAL, credentialName: two, subjectAltNames: [friend.example.com] }
    - port: { number: 8443, name: open, protocol: HTTPS }
      hosts: [open.example.com]
      tls: { mode: OPTIONAL_MUTUAL, credentialName: open, insecureSkipVerify: true }
    - port: { number: 8443, name: through, protocol: TLS }
      hosts: [secure.example.com]
      tls: { mode: PASSTHROUGH }
    - port: { number: 8443, name: absent, protocol: HTTPS }
      hosts: [absent.example.com]
      tls: { mode: SIMPLE, credentialName: absent }
    - port: { number: 8081, name: redirect, protocol: HTTP }
      hosts: [one.example.com]
      tls: { httpsRedirect: true }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: tls }
spec:
  hosts: [one.example.com, two.example.com, open.example.com, secure.example.com, absent.example.com]
  gateways: [tls]
  http:
    - match: [{ uri: { prefix: /httpbin } }]
      route: [{ destination: { host: httpbin, port: { number: 8000 } } }]
    - route: [{ destination: { host: productpage, port: { number: 9080 } } }]
  tls:
    - match: [{ port: 8443, sniHosts: [secure.example.com] }]
      route: [{ destination: { host: secure, port: { number: 9443 } } }]
`;

/** Istio's httpbin sample, as it is written. */
export const httpbinGateway = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: httpbin-gateway
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - "*"
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: httpbin
spec:
  hosts:
  - "*"
  gateways:
  - httpbin-gateway
  http:
  - route:
    - destination:
        host: httpbin
        port:
          number: 8000
`;

/** Istio's sample for the Gateway API, as it is written. */
export const bookinfoOfGatewayApi = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: bookinfo-gateway
spec:
  gatewayClassName: istio
  listeners:
  - name: http
    port: 80
    protocol: HTTP
    allowedRoutes:
      namespaces:
        from: Same
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: bookinfo
spec:
  parentRefs:
  - name: bookinfo-gateway
  rules:
  - matches:
    - path:
        type: Exact
        value: /productpage
    - path:
        type: PathPrefix
        value: /static
    backendRefs:
    - name: productpage
      port: 9080
`;

/**
 * A Gateway of several proxies, by the names of their services, that verifies its
 * clients on each port otherwise, shows its backends a certificate, and takes the
 * listeners of a team.
 *
 * @param backendPort of a server on the machine's loopback that speaks TLS as backend.internal
 */
export const edgeOfGatewayApi = (services: readonly string[], backendPort: number) => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: weft
  addresses:
${services.map((name) => `    - { type: Hostname, value: ${name}.default.svc.cluster.local }\n`).join("")}  allowedListeners: { namespaces: { from: Selector, selector: { matchLabels: { edge: open } } } }
  tls:
    backend: { clientCertificateRef: { name: edge-client } }
    frontend:
      default: { validation: { caCertificateRefs: [{ group: "", kind: ConfigMap, name: edge-clients }] } }
      perPort:
        - port: 9444
          tls:
            validation:
              mode: AllowInsecureFallback
              caCertificateRefs: [{ group: "", kind: ConfigMap, name: edge-clients }]
  listeners:
    - { name: strict, port: 9443, protocol: HTTPS, hostname: one.example.com, tls: { certificateRefs: [{ name: edge }] } }
    - { name: lax, port: 9444, protocol: HTTPS, hostname: one.example.com, tls: { certificateRefs: [{ name: edge }] } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: edge }
spec:
  parentRefs: [{ name: edge }]
  rules:
    - matches: [{ path: { value: /backend } }]
      backendRefs: [{ group: networking.istio.io, kind: Hostname, name: backend.example, port: 80 }]
    - backendRefs: [{ name: productpage, port: 9080 }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: backend }
spec:
  hosts: [backend.example]
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${backendPort} }]
  endpoints: [{ address: 127.0.0.1 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: backend }
spec:
  targetRefs: [{ group: networking.istio.io, kind: ServiceEntry, name: backend }]
  validation:
    hostname: backend.internal
    caCertificateRefs: [{ group: "", kind: ConfigMap, name: backend-roots }]
---
apiVersion: v1
kind: Namespace
metadata: { name: team, labels: { edge: open } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: team, namespace: team }
spec:
  parentRef: { name: edge, namespace: default }
  listeners:
    - { name: https, port: 9444, protocol: HTTPS, hostname: team.example.com, tls: { certificateRefs: [{ name: team }] } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: team, namespace: team }
spec:
  parentRefs: [{ kind: ListenerSet, name: team }]
  rules: [{ backendRefs: [{ name: productpage, namespace: default, port: 9080 }] }]
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: team }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: team }]
  to: [{ group: "", kind: Service, name: productpage }]
---
`;

/** A gateway between networks, and what is behind it as members elsewhere know it: one name for each gateway. */
export const eastWest = (gateways: readonly (readonly [name: string, address: string])[]) => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: east-west }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 15443, name: members, protocol: TLS }
      hosts: [httpbin.default.svc.cluster.local]
      tls: { mode: AUTO_PASSTHROUGH }
${gateways
  .map(
    ([name, address]) => `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: via-${name} }
spec:
  hosts: [via-${name}.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: ${address}, ports: { http: 15443 } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: via-${name} }
spec:
  host: via-${name}.example
  trafficPolicy:
    tls:
      mode: ISTIO_MUTUAL
      sni: outbound_.8000_._.httpbin.default.svc.cluster.local
      subjectAltNames: [spiffe://cluster.local/ns/default/sa/httpbin]
`,
  )
  .join("")}`;
