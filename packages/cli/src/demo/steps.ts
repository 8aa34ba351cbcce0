/** A change of the demo: a file under `demo/istio`, and what it should do to the traffic. */
export interface DemoStep {
  readonly title: string;
  readonly files: readonly string[];
  readonly effect: string;
}

/** Istio's own bookinfo files, in the order of its tasks, and one policy of the demo. */
export const steps = {
  subsets: {
    title: "Name the versions",
    files: ["destination-rule-all.yaml"],
    effect: "subsets v1, v2, v3 exist; nothing else changes",
  },
  allV1: {
    title: "All traffic to v1",
    files: ["virtual-service-all-v1.yaml"],
    effect: "reviews v1 answers every call: no stars",
  },
  canary: {
    title: "Canary: 10 % to v2",
    files: ["virtual-service-reviews-90-10.yaml"],
    effect: "one call in ten gets black stars",
  },
  half: {
    title: "Half to v3",
    files: ["virtual-service-reviews-50-v3.yaml"],
    effect: "every other call gets red stars",
  },
  jason: {
    title: "Only jason sees v2",
    files: ["virtual-service-reviews-test-v2.yaml"],
    effect: "header end-user: jason goes to v2, everybody else to v1",
  },
  delay: {
    title: "Ratings are 7 s late for jason",
    files: ["virtual-service-ratings-test-delay.yaml"],
    effect: "jason waits, others do not notice",
  },
  abort: {
    title: "Ratings fail for jason",
    files: ["virtual-service-ratings-test-abort.yaml"],
    effect: "jason's reviews come without stars",
  },
  deny: {
    title: "Only productpage may ask details",
    files: ["../weft/authorization-policy-details.yaml"],
    effect: "the traffic source gets 403 from details; the page still works",
  },
  calm: {
    title: "Everything back to v1, no faults",
    files: ["virtual-service-all-v1.yaml"],
    effect: "reviews v1 answers every call",
  },
} as const satisfies Record<string, DemoStep>;
