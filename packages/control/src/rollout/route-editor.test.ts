import assert from "node:assert/strict";
import { test } from "node:test";
import { httpRouteForm } from "./http-route-form.ts";
import { RouteEditor } from "./route-editor.ts";
import { virtualServiceForm } from "./virtual-service-form.ts";

const virtualService = `# who may touch this: team reviews
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    # jason has asked for stars
    - name: jason
      match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: reviews, subset: v2 } }]
    - match:
        - uri: { prefix: /old }
      timeout: 2s # as before
      route:
        - destination: { host: reviews, subset: v1, port: { number: 9080 } }
          headers: { request: { set: { x-shifted: "yes" } } }
    - name: rest
      route:
        - { destination: { host: reviews, subset: v1 }, weight: 50 }
        - { destination: { host: ratings, subset: v1 }, weight: 50 }
`;

function ofVirtualService(text: string): RouteEditor {
  const form = virtualServiceForm(({ host, subset }) => {
    if (host !== "reviews") return "other";
    return subset === "v1" ? "stable" : subset === "v3" ? "canary" : "other";
  }, "v3");
  return new RouteEditor(text, form);
}

test("every rule of the old version shares its calls, and nothing else of the text changes", () => {
  const editor = ofVirtualService(virtualService);
  assert.equal(editor.shifted, 2);
  assert.equal(
    editor.edit({ percent: 5 }),
    virtualService
      .replace(
        `headers: { request: { set: { x-shifted: "yes" } } }
`,
        `headers: { request: { set: { x-shifted: "yes" } } }
          weight: 95
        - destination: { host: reviews, subset: v3, port: { number: 9080 } }
          headers: { request: { set: { x-shifted: "yes" } } }
          weight: 5
`,
      )
      .replace(
        `        - { destination: { host: reviews, subset: v1 }, weight: 50 }
        - { destination: { host: ratings, subset: v1 }, weight: 50 }
`,
        `        - { destination: { host: reviews, subset: v1 }, weight: 4750 }
        - { destination: { host: ratings, subset: v1 }, weight: 5000 }
        - { destination: { host: reviews, subset: v3 }, weight: 250 }
`,
      ),
  );
});

test("at the end the new version stands where the old one stood", () => {
  const promoted = ofVirtualService(virtualService).promoted();
  assert.equal(
    promoted,
    virtualService.replaceAll("{ host: reviews, subset: v1", "{ host: reviews, subset: v3"),
  );
  const shared = ofVirtualService(virtualService).edit({ percent: 25 });
  assert.equal(ofVirtualService(shared).promoted().includes("host: reviews, subset: v1"), false);
});

test("lists whose dashes stand below their keys stay so", () => {
  const text = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts:
  - reviews
  http:
  # all of it
  - route:
    - destination:
        host: reviews
        subset: v1
`;
  assert.equal(ofVirtualService(text).promoted(), text.replace("subset: v1", "subset: v3"));
});

test("requests that match have a rule of their own before each that takes the rest", () => {
  const match = [{ headers: { "x-canary": { exact: "insider" } } }];
  const text = ofVirtualService(virtualService).edit({ percent: 0, match });
  const again = ofVirtualService(text);
  assert.equal(again.shifted, 2, "the rules of before are as they were");
  assert.match(text, /- match:\n\s+- uri:\n?\s+.*prefix: \/old[^-]*x-canary/);
  assert.match(text, /name: rest-canary/);
  assert.equal(text.match(/subset: v3/g)?.length, 2);
  assert.match(text, /timeout: 2s/);
});

test("copies go to the new version beside what is copied already", () => {
  const own = virtualService.replace(
    "    - name: rest\n",
    "    - name: rest\n      mirrors: [{ destination: { host: audit } }]\n",
  );
  const text = ofVirtualService(own).edit({ percent: 0, mirror: 20 });
  assert.match(text, /mirrors:\n\s+- destination:\n\s+host: audit\n[\s\S]*subset: v3[\s\S]*value: 20/);
  assert.equal(text.match(/value: 20/g)?.length, 2);
});

const httpRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ group: "", kind: Service, name: reviews, port: 9080 }]
  rules:
    - backendRefs:
        - { name: reviews-v1, port: 9080 } # since March
`;

function ofHttpRoute(text: string): RouteEditor {
  return new RouteEditor(text, httpRouteForm("reviews-v1", "reviews-v3"));
}

test("an HTTPRoute shares between backends, and copies by a filter", () => {
  const shared = ofHttpRoute(httpRoute).edit({ percent: 5 });
  assert.match(shared, /\{ name: reviews-v1, port: 9080, weight: 95 \} # since March/);
  assert.match(shared, /\{ name: reviews-v3, port: 9080, weight: 5 \}\n/);
  const mirrored = ofHttpRoute(httpRoute).edit({ percent: 0, mirror: 10 });
  assert.match(mirrored, /type: RequestMirror[\s\S]*name: reviews-v3[\s\S]*percent: 10/);
  const match = [{ headers: { "x-canary": { regex: "in.*" } } }];
  assert.match(
    ofHttpRoute(httpRoute).edit({ percent: 0, match }),
    /matches:\n\s+- headers:\n\s+- name: x-canary\n\s+type: RegularExpression\n\s+value: in\.\*/,
  );
  assert.equal(ofHttpRoute(httpRoute).promoted(), httpRoute.replace("reviews-v1", "reviews-v3"));
});

test("a route without the old version has nothing to shift", () => {
  assert.equal(ofHttpRoute(httpRoute.replace("port: 9080 } #", "port: 9080, weight: 0 } #")).shifted, 0);
});
