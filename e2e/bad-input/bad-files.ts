/** Files that 'weft apply' refuses, and the resources that are in force meanwhile. */
export const rules = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  subsets:
    - {name: v1, labels: {version: v1}}
`;
export const routing = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: web
spec:
  hosts: [web]
  http:
    - route:
        - destination: {host: web, subset: v1}
`;
const named = (name: string, host = name) =>
  routing.replace("name: web", `name: ${name}`).replace("hosts: [web]", `hosts: [${host}]`);

export interface BadFiles {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly says: string;
  readonly place: string;
}

export const badFiles: readonly BadFiles[] = [
  {
    name: "YAML that cannot be read",
    files: { "broken.yaml": `${routing}  tcp: [\n` },
    place: "broken.yaml:11:1",
    says: "not valid YAML",
  },
  {
    name: "a kind nobody knows",
    files: { "kind.yaml": routing.replace("VirtualService", "VirtualServise") },
    place: "kind.yaml:2:7",
    says: 'unknown kind VirtualServise (networking.istio.io/v1) (did you mean "VirtualService"?)',
  },
  {
    name: "an apiVersion the kind does not have",
    files: { "version.yaml": routing.replace("io/v1", "io/v9") },
    place: "version.yaml:1:13",
    says: 'VirtualService has no apiVersion networking.istio.io/v9 (did you mean "networking.istio.io/v1"?)',
  },
  {
    name: "a value of the wrong type",
    files: { "type.yaml": routing.replace("[web]", "web") },
    place: "type.yaml:6:10",
    says: "spec.hosts must be a list, not the string web",
  },
  {
    name: "a field nobody knows",
    files: { "field.yaml": routing.replace("http:", "htpp:") },
    place: "field.yaml:7:3",
    says: 'unknown field spec.htpp (did you mean "http"?)',
  },
  {
    name: "a route to a subset that does not exist",
    files: { "subset.yaml": routing.replace("subset: v1", "subset: v7") },
    place: "subset.yaml:9:44",
    says: 'subset "v7" of web.default.svc.cluster.local does not exist (did you mean "v1"?)',
  },
  {
    name: "two VirtualServices for one host",
    files: { "two.yaml": `${named("a", "shop")}---\n${named("b", "shop")}` },
    place: "two.yaml:16:11",
    says: 'VirtualServices "a" and "b" both route shop.default.svc.cluster.local: only one can (merge them into one; the other is at two.yaml:6:11)',
  },
  {
    name: "a VirtualService for a host that an applied one routes",
    files: { "again.yaml": named("again", "web") },
    place: "again.yaml:6:11",
    says: 'VirtualServices "again" and "web" both route web.default.svc.cluster.local: only one can (merge them into one; the other is at mesh.yaml:14:11)',
  },
  {
    name: "one resource in two files",
    files: { "one.yaml": named("twice"), "two.yaml": named("twice") },
    place: "two.yaml:4:9",
    says: "VirtualService default/twice is written twice (the first is at one.yaml:4:9: remove one of them)",
  },
];
