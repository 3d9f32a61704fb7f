import { RegistryProblem } from "./problem.ts";
import type { RegistryStore } from "./store.ts";

const USUAL = 25;
const MOST = 100;

/**
 * Repositories whose names hold the words, those that begin with them first. Nobody gives stars here. Source: registry
 * API v1, "Search", which is what `docker search HOST/WORDS` asks.
 */
export async function search({ repositories }: RegistryStore, url: URL): Promise<Response> {
  const query = (url.searchParams.get("q") ?? "").toLowerCase();
  const asked = url.searchParams.get("n") || String(USUAL);
  if (!/^\d{1,9}$/.test(asked)) throw new RegistryProblem(400, "UNSUPPORTED", "n must be a number");
  const page_size = Math.min(Number(asked), MOST);
  const fitting = (await repositories.names()).filter((name) => name.includes(query));
  const [first, rest] = [
    fitting.filter((name) => name.startsWith(query)),
    fitting.filter((name) => !name.startsWith(query)),
  ];
  const results = [...first, ...rest].slice(0, page_size).map((name) => ({
    name,
    description: "",
    star_count: 0,
    is_official: false,
    is_automated: false,
  }));
  return Response.json({ query, page: 1, num_pages: 1, page_size, num_results: results.length, results });
}
