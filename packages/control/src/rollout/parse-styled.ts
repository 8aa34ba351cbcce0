import { type Document, isMap, isSeq, parseDocument, visit, type YAMLMap, type YAMLSeq } from "yaml";

/**
 * A document that is written again as it was: `[a]` and `{ a: b }` keep the
 * spaces that each of them has, which `yaml` would make the same everywhere.
 */
export function parseStyled(text: string): Document.Parsed {
  const document = parseDocument(text);
  visit(document, {
    Collection(_, node) {
      if (node.flow && node.range && (isMap(node) || isSeq(node))) keepPadding(node, text);
    },
  });
  return document;
}

function keepPadding(node: YAMLMap | YAMLSeq, text: string): void {
  const flowCollectionPadding = /\s/.test(text[node.range![0] + 1] ?? "") ? " " : "";
  const { toString: write } = Object.getPrototypeOf(node) as YAMLSeq;
  node.toString = function (this: YAMLSeq, context, ...rest) {
    return write.call(this, context && { ...context, flowCollectionPadding }, ...rest);
  };
}
