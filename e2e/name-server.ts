/** The answer to a DNS query of one question: these IPv4 addresses, for no time; undefined: there is no such name. */
export function dnsAnswer(
  query: Buffer,
  addressesOf: (name: string) => readonly string[] | undefined,
): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const question = query.subarray(12, end);
  const addresses = addressesOf(nameIn(question));
  const found = question.readUInt16BE(question.length - 4) === 1 ? (addresses ?? []) : [];
  const status = addresses ? 0x80 : 0x83;
  const head = Buffer.from([...query.subarray(0, 2), 0x81, status, 0, 1, 0, found.length, 0, 0, 0, 0]);
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4];
  const records = found.map((address) => Buffer.from([...record, ...address.split(".").map(Number)]));
  return Buffer.concat([head, question, ...records]);
}

function nameIn(question: Buffer): string {
  const labels: string[] = [];
  for (let at = 0; question[at]; at += question[at]! + 1) {
    labels.push(question.toString("latin1", at + 1, at + 1 + question[at]!));
  }
  return labels.join(".").toLowerCase();
}
