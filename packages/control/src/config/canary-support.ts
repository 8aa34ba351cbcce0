import { type FieldSupport, oneOf, rows } from "./field-support.ts";

const canary = rows("Canary");
const metricTemplate = rows("MetricTemplate");
const alertProvider = rows("AlertProvider");

const inRoute = "write it in the VirtualService or HTTPRoute, whose weights are shifted";
const elsewhere = "the service is described elsewhere";
const noProvider = "the mesh itself shifts the calls";
const noSecrets =
  "Secrets of applications are not read: what needs a password is asked through a proxy of yours that has it";

/** What Weft does with the fields of Flagger's Canary. */
export const canarySupport: readonly FieldSupport[] = [
  ...canary.yes(
    "spec.targetRef",
    "spec.service.name",
    "spec.progressDeadlineSeconds",
    "spec.suspend",
    "spec.skipAnalysis",
    "spec.analysis.interval",
    "spec.analysis.threshold",
    "spec.analysis.iterations",
    "spec.analysis.maxWeight",
    "spec.analysis.stepWeight",
    "spec.analysis.stepWeights",
    "spec.analysis.mirror",
    "spec.analysis.mirrorWeight",
    "spec.analysis.match[]",
    "spec.analysis.metrics[].threshold",
    "spec.analysis.metrics[].thresholdRange",
    "spec.analysis.metrics[].name",
    "spec.analysis.metrics[].query",
    "spec.analysis.metrics[].interval",
    "spec.analysis.metrics[].templateRef",
    "spec.analysis.metrics[].templateVariables",
    "spec.analysis.webhooks[]",
    "spec.analysis.alerts[]",
    "spec.metricsServer",
  ),
  ...canary.refused(
    ["spec.provider", noProvider, oneOf("istio", "gatewayapi:v1", "gatewayapi:v1beta1")],
    ["spec.ingressRef", noProvider],
    ["spec.routeRef", noProvider],
    ["spec.upstreamRef", noProvider],
    ["spec.service.timeout", inRoute],
    ["spec.service.backendTimeout", inRoute],
    ["spec.service.meshName", noProvider],
    ["spec.service.backends", noProvider],
    ["spec.service.hosts", inRoute],
    ["spec.service.delegation", inRoute],
    ["spec.service.match", inRoute],
    ["spec.service.retries", inRoute],
    ["spec.service.rewrite", inRoute],
    ["spec.service.mirror", inRoute],
    ["spec.service.headers", inRoute],
    ["spec.service.gateways", inRoute],
    ["spec.service.gatewayRefs", inRoute],
    ["spec.service.corsPolicy", inRoute],
    ["spec.service.trafficPolicy", "write it in the DestinationRule"],
    [
      "spec.analysis.webhooks[].disableTLS",
      "certificates are verified; of networks that --canary-allow names http:// will do",
      oneOf(false),
    ],
    ["spec.analysis.sessionAffinity", "requests of a session would not keep their version"],
  ),
  ...canary.skipped(
    ["spec.analysis.stepWeightPromotion", "behind the last step the new version gets all calls at once"],
    ["spec.analysis.primaryReadyThreshold", "one healthy instance is enough"],
    ["spec.analysis.canaryReadyThreshold", "one healthy instance is enough"],
  ),
  ...canary.idle(
    ["spec.autoscalerRef", "nothing is scaled outside Kubernetes"],
    ["spec.revertOnDeletion", "a rollout under way is undone, and nothing else was taken over", oneOf(true)],
    ["spec.service.port", elsewhere],
    ["spec.service.portName", elsewhere],
    ["spec.service.appProtocol", elsewhere],
    ["spec.service.trafficDistribution", elsewhere],
    ["spec.service.targetPort", elsewhere],
    ["spec.service.portDiscovery", elsewhere],
    ["spec.service.headless", elsewhere],
    ["spec.service.apex", elsewhere],
    ["spec.service.primary", elsewhere],
    ["spec.service.canary", elsewhere],
    ["spec.service.unmanagedMetadata", elsewhere],
  ),
  ...metricTemplate.yes("spec.query", "spec.provider.address"),
  ...metricTemplate.refused(
    ["spec.provider.type", "only Prometheus, and what speaks its HTTP API, is asked", oneOf("prometheus")],
    ["spec.provider.region", "only Prometheus is asked"],
    ["spec.provider.headers", "no field of a request is anybody's to choose"],
    [
      "spec.provider.insecureSkipVerify",
      "certificates are verified; of networks that --canary-allow names http:// will do",
      oneOf(false),
    ],
    ["spec.provider.secretRef", noSecrets],
  ),
  ...alertProvider.yes("spec.address", "spec.channel", "spec.username"),
  ...alertProvider.refused(
    ["spec.type", "no other chat is known", oneOf("slack", "discord", "msteams", "rocket")],
    ["spec.proxy", "nothing is sent through a proxy"],
    ["spec.secretRef", "Secrets of applications are not read: write the address"],
  ),
];
