// Tests of what is being built: `SYSTEMS_ALL=1` runs them all the same.

/** Options of a test that waits for what `who` builds. */
export const pending = (who) => ({ skip: process.env.SYSTEMS_ALL ? false : `not built yet: ${who}` });
