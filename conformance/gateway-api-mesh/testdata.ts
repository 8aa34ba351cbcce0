export const testdata = new URL("testdata/", import.meta.url);
