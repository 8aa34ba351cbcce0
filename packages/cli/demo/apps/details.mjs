// Facts about a book: the twin of details.py, for machines without Python.
import { serve } from "./service.mjs";

serve("details", {
  "/details/": () => [
    200,
    { id: 0, author: "William Shakespeare", year: 1595, type: "paperback", pages: 200, language: "English" },
  ],
  "/health": () => [200, { status: "details is healthy" }],
});
