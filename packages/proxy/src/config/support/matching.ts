import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the unified matching API, and with what matchers look at. */
export function matchingSupport(): Record<string, MessageSupport> {
  const m = "xds.type.matcher.v3.";
  const network = "envoy.extensions.matching.common_inputs.network.v3.";
  const ssl = "envoy.extensions.matching.common_inputs.ssl.v3.";
  const whole = (implemented: string): MessageSupport => ({ implemented });
  return {
    [`${m}Matcher`]: whole("matcher_list matcher_tree on_no_match"),
    [`${m}Matcher.OnMatch`]: whole("matcher action"),
    [`${m}Matcher.MatcherList`]: whole("matchers"),
    [`${m}Matcher.MatcherList.FieldMatcher`]: whole("predicate on_match"),
    [`${m}Matcher.MatcherList.Predicate`]: whole("single_predicate or_matcher and_matcher not_matcher"),
    [`${m}Matcher.MatcherList.Predicate.PredicateList`]: whole("predicate"),
    [`${m}Matcher.MatcherList.Predicate.SinglePredicate`]: whole("input value_match custom_match"),
    [`${m}Matcher.MatcherTree`]: whole("input exact_match_map prefix_match_map custom_match"),
    [`${m}Matcher.MatcherTree.MatchMap`]: whole("map"),
    [`${m}IPMatcher`]: whole("range_matchers"),
    [`${m}IPMatcher.IPRangeMatcher`]: whole("ranges on_match exclusive"),
    [`${m}ServerNameMatcher`]: whole("domain_matchers"),
    [`${m}ServerNameMatcher.DomainMatcher`]: whole("domains on_match"),
    "xds.core.v3.CidrRange": whole("address_prefix prefix_len"),
    [`${m}StringMatcher`]: whole("exact prefix suffix safe_regex contains ignore_case"),
    [`${m}RegexMatcher`]: whole("regex google_re2"),
    [`${m}RegexMatcher.GoogleRE2`]: whole(""),
    "xds.core.v3.TypedExtensionConfig": whole("name typed_config"),
    "envoy.type.matcher.v3.HttpRequestHeaderMatchInput": whole("header_name"),
    [`${network}DestinationIPInput`]: whole(""),
    [`${network}DestinationPortInput`]: whole(""),
    [`${network}SourceIPInput`]: whole(""),
    [`${network}SourcePortInput`]: whole(""),
    [`${network}DirectSourceIPInput`]: whole(""),
    [`${network}ServerNameInput`]: whole(""),
    [`${network}SourceTypeInput`]: whole(""),
    [`${network}TransportProtocolInput`]: whole(""),
    [`${network}ApplicationProtocolInput`]: whole(""),
    [`${network}DynamicMetadataInput`]: whole("filter path"),
    [`${network}DynamicMetadataInput.PathSegment`]: whole("key"),
    [`${ssl}UriSanInput`]: whole(""),
    [`${ssl}DnsSanInput`]: whole(""),
    [`${ssl}SubjectInput`]: whole(""),
    "envoy.extensions.matching.input_matchers.ip.v3.Ip": {
      implemented: "cidr_ranges",
      harmless: { stat_prefix: "an address that cannot be read does not match and is not counted" },
    },
  };
}
