import { type FieldSupport, oneOf, rows } from "./field-support.ts";

const canary = rows("Canary");

const inRoute = "write it in the VirtualService or HTTPRoute, whose weights are shifted";
const elsewhere = "the service is described elsewhere";
const noProvider = "the mesh itself shifts the calls";
const builtIn = "the mesh's own metrics decide: request-success-rate and request-duration";

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
    ["spec.analysis.metrics[].name", builtIn, oneOf("request-success-rate", "request-duration")],
    ["spec.analysis.metrics[].query", builtIn],
    ["spec.analysis.metrics[].templateRef", builtIn],
    ["spec.analysis.metrics[].templateVariables", builtIn],
    [
      "spec.analysis.webhooks",
      "nobody is called: hold a rollout by 'weft rollout pause', and send it on by 'weft rollout promote'",
    ],
    ["spec.analysis.sessionAffinity", "requests of a session would not keep their version"],
  ),
  ...canary.skipped(
    ["spec.analysis.stepWeightPromotion", "behind the last step the new version gets all calls at once"],
    ["spec.analysis.primaryReadyThreshold", "one healthy instance is enough"],
    ["spec.analysis.canaryReadyThreshold", "one healthy instance is enough"],
    ["spec.analysis.alerts", "'weft rollout status' and the dashboard show what happens, and nobody is told"],
  ),
  ...canary.idle(
    ["spec.metricsServer", builtIn],
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
    ["spec.analysis.metrics[].interval", "a step is measured for as long as it lasts"],
  ),
];
