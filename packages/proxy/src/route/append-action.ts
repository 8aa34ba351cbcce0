/** @see envoy.config.core.v3.HeaderValueOption.HeaderAppendAction */
export type AppendAction = "append-or-add" | "add-if-absent" | "overwrite-or-add" | "overwrite-if-exists";
