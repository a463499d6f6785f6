// A matrix-appservice (Node) application service whose handler drops every event. PORT TOKEN
const { AppService } = require("matrix-appservice");

const service = new AppService({ homeserverToken: process.argv[3] });
service.on("event", () => {});
service.listen(Number(process.argv[2]), "127.0.0.1", 10);
