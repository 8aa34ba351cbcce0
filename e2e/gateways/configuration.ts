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
  hosts: [one.example.com, two.example.com, secure.example.com, absent.example.com]
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
