import { render } from "preact";
import { App } from "./app.tsx";
import { FeedClient } from "./state/feed-client.ts";

const client = new FeedClient();
client.connect();
render(<App client={client} />, document.getElementById("app")!);
