/**
 * fast-check for tests that run with the others: the same cases in every run,
 * so that none fails by chance on a change that has nothing to do with it.
 * `WEFT_SEED=N` draws others, for who looks for what these do not find.
 */
import fc from "fast-check";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.WEFT_SEED ?? 1) });

export default fc;
