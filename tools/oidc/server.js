// A real OpenID provider for tests/http/oidc.rs: it lets everybody in as the one person that it is told of, without a page.
// Called with the address that browsers are sent back to, the person's subject, and what they showed ("pwd", "mfa"). Prints
// its own address.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [redirect, subject, ...shown] = process.argv.slice(2);

function key(alg, kind, options) {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: "jwk" }), alg, use: "sig", kid: `key-${alg}` };
}

function client(id, alg, more) {
  return {
    client_id: id,
    redirect_uris: [redirect],
    response_types: ["code"],
    grant_types: ["authorization_code"],
    id_token_signed_response_alg: alg,
    ...more,
  };
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      client("with-secret", "RS256", { client_secret: "a secret: with signs & blanks" }),
      client("without-secret", "ES256", { token_endpoint_auth_method: "none" }),
    ],
    jwks: {
      keys: [key("RS256", "rsa", { modulusLength: 2048 }), key("ES256", "ec", { namedCurve: "P-256" })],
    },
    cookies: { keys: ["of a test"] },
    claims: { openid: ["sub", "amr"], amr: null },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    // Nobody is asked whether this server may know who they are.
    async loadExistingGrant(ctx) {
      const { accountId } = ctx.oidc.session;
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId });
      grant.addOIDCScope("openid");
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  server.on("request", (request, response) => {
    if (request.url.startsWith("/interaction/")) {
      provider.interactionFinished(request, response, { login: { accountId: subject, amr: shown } }).catch((error) => {
        response.writeHead(500).end(String(error));
      });
    } else {
      answer(request, response);
    }
  });
  console.log(issuer);
});
// Ends with whoever started it.
process.stdin.on("end", () => process.exit(0)).resume();
