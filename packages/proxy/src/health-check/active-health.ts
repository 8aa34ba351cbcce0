/** What active checks have found of an endpoint; Envoy's health flags. */
export interface ActiveHealth {
  /** `/failed_active_hc` */
  isFailed: boolean;
  /** `/degraded_active_hc` */
  isDegraded: boolean;
  /** `/pending_active_hc`: not counted among the endpoints until its first check. */
  isPending: boolean;
  /** `/active_hc_timeout`: it failed by not answering. */
  isTimedOut: boolean;
  /** `/excluded_via_immediate_hc_fail`: it asked to be left out. */
  isExcluded: boolean;
}

/** Of an endpoint that nobody checks. */
export const uncheckedHealth: Readonly<ActiveHealth> = {
  isFailed: false,
  isDegraded: false,
  isPending: false,
  isTimedOut: false,
  isExcluded: false,
};
